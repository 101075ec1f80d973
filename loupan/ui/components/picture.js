// Draws a chart with its context around it into a PNG, with Plotly's own script, which is fetched when first needed.
const SCALE = 2;
const MARGIN = 32;
const TITLE = { size: 22, weight: 600 };
const TEXT = { size: 13, weight: 400 };
const LEADING = 1.5;

let script;
const plotly = (address) => {
  script ??= new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = address;
    element.onload = () => resolve(window.Plotly);
    element.onerror = () => {
      script = undefined;
      reject(new Error(address));
    };
    document.head.append(element);
  });
  return script;
};

const loaded = (source) => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = () => resolve(image);
  image.onerror = reject;
  image.src = source;
});

// Breaks between words; within one where it is wider than a line, and between Chinese characters.
const wrapped = (context, text, width) => {
  const parts = text.match(/[\u2e80-\uffef]|[^\s\u2e80-\uffef]+\s*|\s+/g) ?? [];
  const lines = [""];
  for (const part of parts.flatMap((word) => (context.measureText(word).width > width ? [...word] : [word]))) {
    if (context.measureText((lines.at(-1) + part).trimEnd()).width > width && lines.at(-1)) lines.push("");
    lines[lines.length - 1] += part;
  }
  return lines;
};

const draw = async (data) => {
  const Plotly = await plotly(data.script);
  const figure = JSON.parse(data.figure);
  figure.layout.font = { ...figure.layout.font, family: data.font };
  const height = figure.layout.height;
  const chart = await loaded(await Plotly.toImage(figure, { format: "png", width: data.width, height, scale: SCALE }));

  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const write = ({ size, weight }) => { context.font = `${weight} ${size}px ${data.font}`; };
  const block = (text, style, colour) => {
    write(style);
    return wrapped(context, text, data.width).map((line) => ({ line, style, colour, height: style.size * LEADING }));
  };
  const above = block(data.title, TITLE, data.colours.ink);
  if (data.caption) above.push(...block(data.caption, TEXT, data.colours.muted));
  const below = data.lines.flatMap((line) => block(line, TEXT, data.colours.muted));
  const sum = (lines) => lines.reduce((total, line) => total + line.height, 0);

  canvas.width = (data.width + 2 * MARGIN) * SCALE;
  canvas.height = (sum(above) + height + sum(below) + 4 * MARGIN) * SCALE;
  context.scale(SCALE, SCALE);
  context.fillStyle = data.colours.surface;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "top";
  let y = MARGIN;
  const lay = (lines) => lines.forEach(({ line, style, colour, height: step }) => {
    write(style);
    context.fillStyle = colour;
    context.fillText(line, MARGIN, y);
    y += step;
  });
  lay(above);
  y += MARGIN / 2;
  context.drawImage(chart, MARGIN, y, data.width, height);
  y += height + MARGIN;
  lay(below);
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
};

export default function (component) {
  const { data, parentElement } = component;
  const button = parentElement.querySelector("button");
  const status = parentElement.querySelector("p");
  button.textContent = data.label;
  button.dataset.icon = data.icon;
  button.onclick = async () => {
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    status.textContent = "";
    try {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(await draw(data));
      link.download = data.file_name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (error) {
      console.error(error);
      status.textContent = data.failed;
    } finally {
      button.removeAttribute("aria-busy");
    }
  };
}
