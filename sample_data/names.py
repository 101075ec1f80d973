"""Invented names of people, companies and estates, and telephone numbers that reach nobody."""

from __future__ import annotations

import numpy as np

from sample_data.rows import Array
from sample_data.vocabulary import Words

SURNAMES = (
    ("王", "Wang"), ("李", "Li"), ("张", "Zhang"), ("刘", "Liu"), ("陈", "Chen"), ("杨", "Yang"), ("黄", "Huang"),
    ("赵", "Zhao"), ("吴", "Wu"), ("周", "Zhou"), ("徐", "Xu"), ("孙", "Sun"), ("马", "Ma"), ("朱", "Zhu"),
    ("胡", "Hu"),
    ("郭", "Guo"), ("何", "He"), ("林", "Lin"), ("高", "Gao"), ("罗", "Luo"), ("郑", "Zheng"), ("梁", "Liang"),
    ("谢", "Xie"), ("宋", "Song"), ("唐", "Tang"), ("许", "Xu"), ("邓", "Deng"), ("冯", "Feng"), ("韩", "Han"),
    ("曹", "Cao"), ("曾", "Zeng"), ("彭", "Peng"), ("萧", "Xiao"), ("蔡", "Cai"), ("潘", "Pan"), ("田", "Tian"),
    ("董", "Dong"), ("袁", "Yuan"), ("于", "Yu"), ("余", "Yu"), ("叶", "Ye"), ("蒋", "Jiang"), ("杜", "Du"),
    ("苏", "Su"), ("魏", "Wei"), ("程", "Cheng"), ("吕", "Lü"), ("丁", "Ding"), ("沈", "Shen"), ("欧阳", "Ouyang"),
)  # fmt: skip
# Surnames are as unequal as in the population: the first few cover most people.
SURNAME_WEIGHTS = 1 / (np.arange(len(SURNAMES)) + 4.0)
MALE_CHARACTERS = (
    ("伟", "wei"), ("强", "qiang"), ("磊", "lei"), ("军", "jun"), ("勇", "yong"), ("杰", "jie"), ("涛", "tao"),
    ("明", "ming"), ("超", "chao"), ("刚", "gang"), ("平", "ping"), ("辉", "hui"), ("鹏", "peng"), ("斌", "bin"),
    ("波", "bo"), ("宇", "yu"), ("浩", "hao"), ("凯", "kai"), ("健", "jian"), ("俊", "jun"), ("志", "zhi"),
    ("文", "wen"),
)  # fmt: skip
FEMALE_CHARACTERS = (
    ("芳", "fang"), ("娜", "na"), ("敏", "min"), ("静", "jing"), ("丽", "li"), ("艳", "yan"), ("娟", "juan"),
    ("霞", "xia"), ("燕", "yan"), ("玲", "ling"), ("丹", "dan"), ("萍", "ping"), ("红", "hong"), ("雪", "xue"),
    ("琳", "lin"), ("婷", "ting"), ("慧", "hui"), ("莹", "ying"), ("洁", "jie"), ("梅", "mei"), ("欣", "xin"),
    ("怡", "yi"),
)  # fmt: skip
COMPANY_NAMES = (
    ("华信", "Huaxin"), ("宏达", "Hongda"), ("瑞丰", "Ruifeng"), ("天成", "Tiancheng"), ("新源", "Xinyuan"),
    ("金桥", "Jinqiao"), ("东海", "Donghai"), ("恒通", "Hengtong"), ("盛世", "Shengshi"), ("嘉禾", "Jiahe"),
)  # fmt: skip
COMPANY_TRADES = (
    ("贸易有限公司", "Trading Co."), ("科技有限公司", "Technology Co."), ("建材有限公司", "Materials Co."),
    ("物流有限公司", "Logistics Co."),
)  # fmt: skip
ESTATE_PLACES = (
    ("滨江", "Riverside"), ("云栖", "Cloudrest"), ("翠湖", "Jade Lake"), ("望山", "Hillview"), ("锦绣", "Brocade"),
    ("东方", "Orient"), ("金色", "Golden"), ("梧桐", "Phoenix Tree"), ("春晓", "Spring Dawn"), ("星河", "Galaxy"),
    ("明月", "Moonlight"), ("碧水", "Clearwater"),
)  # fmt: skip
ESTATE_KINDS = (
    ("壹号", "One"), ("花园", "Garden"), ("华府", "Mansion"), ("雅苑", "Court"), ("里", "Lane"), ("公馆", "Residence"),
    ("城", "City"), ("名邸", "House"),
)  # fmt: skip
ESTATE_PHASE = ("{}期", "Phase {}")


def people(rng: np.random.Generator, words: Words, is_female: Array) -> Array:
    """Return a name for each person: surname first, as is usual in both forms."""
    count = len(is_female)
    surname = words.all(SURNAMES)[rng.choice(len(SURNAMES), count, p=SURNAME_WEIGHTS / SURNAME_WEIGHTS.sum())]
    female, male = words.all(FEMALE_CHARACTERS), words.all(MALE_CHARACTERS)
    first = np.where(is_female, female[rng.integers(0, len(female), count)], male[rng.integers(0, len(male), count)])
    second = np.where(is_female, female[rng.integers(0, len(female), count)], male[rng.integers(0, len(male), count)])
    second = np.where(rng.random(count) < 0.25, "", second)
    if words.language == "en":
        given = np.array([name.capitalize() for name in first + second], dtype=object)
        return np.asarray(surname + " " + given)
    return np.asarray(surname + first + second)


def companies(rng: np.random.Generator, words: Words, count: int) -> Array:
    """Return names of companies."""
    name, trade = words.all(COMPANY_NAMES), words.all(COMPANY_TRADES)
    chosen = name[rng.integers(0, len(name), count)] + words.joint + trade[rng.integers(0, len(trade), count)]
    return np.asarray(chosen, dtype=object)


def phones(rng: np.random.Generator, count: int) -> Array:
    """Return telephone numbers of eleven digits in the range 12x, which is given to nobody in China."""
    digits = 12_000_000_000 + rng.integers(0, 1_000_000_000, count)
    return digits.astype(str).astype(object)


def estate(words: Words, index: int) -> str:
    """Return the name of the estate number ``index`` (from 0); never the same for two."""
    places, kinds = len(ESTATE_PLACES), len(ESTATE_KINDS)
    place, kind = index % places, (index + index // places) % kinds
    name = words.join(words(ESTATE_PLACES[place]), words(ESTATE_KINDS[kind]))
    phase = index // (places * kinds)
    return name if phase == 0 else words.join(name, words(ESTATE_PHASE).format(phase + 1))
