// A button that does what only the browser can: full screen, and printing. Esc leaves, as everywhere.
const actions = {
  enter: () => document.documentElement.requestFullscreen?.().catch(() => {}),
  leave: () => { if (document.fullscreenElement) document.exitFullscreen(); },
  print: () => window.print(),
};

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const button = parentElement.querySelector("button");
  button.textContent = data.label;
  button.dataset.icon = data.icon;
  button.classList.toggle("framed", data.kind !== "enter");
  const press = () => {
    actions[data.kind]();
    if (data.kind !== "print") setTriggerValue("pressed", true);
  };
  button.onclick = press;
  if (data.kind !== "leave") return undefined;

  // Esc closes what is open before it leaves; in the browser's own full screen the page never hears of it.
  const onKey = (event) => {
    if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("[role=dialog], [data-testid=stPopoverBody]")) press();
  };
  let wasFull = Boolean(document.fullscreenElement);
  const onChange = () => {
    if (wasFull && !document.fullscreenElement) press();
    wasFull = Boolean(document.fullscreenElement);
  };
  document.addEventListener("keydown", onKey);
  document.addEventListener("fullscreenchange", onChange);
  return () => {
    document.removeEventListener("keydown", onKey);
    document.removeEventListener("fullscreenchange", onChange);
  };
}
