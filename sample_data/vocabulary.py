"""Every word of the sample company, in Chinese and in English.

A ``Word`` is the pair (Chinese, English). ``Words`` picks one language. Names of people and of estates are made in
``names.py``; values that stand for codes (channel, severity, kinds of contact and payment) are the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np

from sample_data.errors import SampleArgumentError
from sample_data.rows import Array

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


class Word(NamedTuple):
    """One word or phrase in both languages."""

    zh: str
    en: str


class Words:
    """Picks one language out of words."""

    def __init__(self, language: Language) -> None:
        if language not in LANGUAGES:
            raise SampleArgumentError(f"language {language!r} is not known; use {' or '.join(LANGUAGES)}")
        self.language = language
        self.joint = " " if language == "en" else ""

    def __call__(self, word: Word | tuple[str, str]) -> str:
        """Return ``word`` in the language."""
        return word[0] if self.language == "zh" else word[1]

    def all(self, words: Iterable[tuple[str, str]]) -> Array:
        """Return ``words`` in the language, as a text column."""
        return np.array([self(w) for w in words], dtype=object)

    def join(self, *parts: str) -> str:
        """Join parts of a name, with a space where the language has one."""
        return self.joint.join(parts)


def _words(*pairs: tuple[str, str]) -> Sequence[Word]:
    return tuple(Word(*pair) for pair in pairs)


# Organisation
GROUP = Word("望江置业集团", "Wangjiang Property Group")
CITY_COMPANY = Word("城市公司", "City Company")
HEADQUARTERS = Word("总部", "Headquarters")
MANAGEMENT = Word("总经办", "General Management")
MARKETING_CENTRE = Word("营销中心", "Marketing Centre")
SALES_DEPARTMENT = Word("销售部", "Sales Department")
SALES_TEAM = Word("案场", "Sales Team")
PLANNING_DEPARTMENT = Word("策划部", "Marketing Planning")
SERVICE_CENTRE = Word("客户服务中心", "Customer Service Centre")
PROPERTY_COMPANY = Word("物业公司", "Property Management")
PROPERTY_CENTRE = Word("物业服务中心", "Property Service Centre")
FINANCE_DEPARTMENT = Word("财务部", "Finance Department")
DATA_DEPARTMENT = Word("数据信息部", "Data Department")
PERSONNEL_DEPARTMENT = Word("人力行政部", "Personnel and Administration")

GENERAL_MANAGER = Word("总经理", "General Manager")
MARKETING_DIRECTOR = Word("营销总监", "Marketing Director")
SALES_MANAGER = Word("案场经理", "Sales Manager")
CONSULTANT = Word("置业顾问", "Sales Consultant")
SENIOR_CONSULTANT = Word("高级置业顾问", "Senior Sales Consultant")
PLANNER = Word("策划专员", "Marketing Planner")
SERVICE_MANAGER = Word("客服经理", "Customer Service Manager")
SERVICE_AGENT = Word("客服专员", "Customer Service Agent")
PROPERTY_MANAGER = Word("物业经理", "Property Manager")
PROPERTY_STEWARD = Word("物业管家", "Property Steward")
ACCOUNTANT = Word("会计", "Accountant")
DATA_ANALYST = Word("数据分析师", "Data Analyst")
ADMINISTRATOR = Word("行政专员", "Administrator")

# Estates
DISTRICTS = _words(
    ("滨江区", "Binjiang"), ("西湖区", "Xihu"), ("拱墅区", "Gongshu"), ("上城区", "Shangcheng"),
    ("余杭区", "Yuhang"), ("萧山区", "Xiaoshan"), ("临平区", "Linping"), ("钱塘区", "Qiantang"),
)  # fmt: skip
STREETS = _words(
    ("江南大道", "Jiangnan Avenue"), ("文一路", "Wenyi Road"), ("湖墅路", "Hushu Road"), ("望江路", "Wangjiang Road"),
    ("良睦路", "Liangmu Road"), ("市心路", "Shixin Road"), ("迎宾路", "Yingbin Road"), ("金沙大道", "Jinsha Avenue"),
)  # fmt: skip
ADDRESS = Word("{street}{number}号", "{number} {street}")
RESIDENTIAL, MIXED = Word("住宅", "Residential"), Word("商住综合", "Mixed use")
BUILDING = Word("{}号楼", "Building {}")
LAYOUTS = _words(
    ("两室两厅", "2 rooms 2 halls"), ("三室两厅", "3 rooms 2 halls"), ("四室两厅", "4 rooms 2 halls"),
    ("五室两厅", "5 rooms 2 halls"),
)  # fmt: skip
ESTATE_DESCRIPTION = Word(
    "{name}位于{district}，由{count}栋楼组成，绿化率35%，配套幼儿园与商业街。",
    "{name} stands in {district}: {count} buildings, 35 % green space, a kindergarten and a shopping street.",
)

# Customers
EDUCATIONS = _words(
    ("高中及以下", "High school or below"), ("大专", "College"), ("本科", "Bachelor"),
    ("硕士及以上", "Master or above"),
)  # fmt: skip
OCCUPATIONS = _words(
    ("企业职员", "Company employee"), ("私营业主", "Business owner"), ("公务员", "Civil servant"), ("教师", "Teacher"),
    ("医护人员", "Medical staff"), ("工程技术", "Engineer"), ("自由职业", "Freelancer"),
)  # fmt: skip
RETIRED = Word("退休", "Retired")
INCOME_BANDS = _words(
    ("10万以下", "Below 100k"), ("10–20万", "100k–200k"), ("20–40万", "200k–400k"), ("40–80万", "400k–800k"),
    ("80万以上", "Above 800k"),
)  # fmt: skip
PERSONALITIES = _words(
    ("理性", "Rational"), ("果断", "Decisive"), ("谨慎", "Cautious"), ("感性", "Emotional"), ("犹豫", "Hesitant"),
)  # fmt: skip
INDIVIDUAL_CUSTOMERS, COMPANY_CUSTOMERS = Word("个人客户", "Individuals"), Word("企业客户", "Companies")
INDIVIDUAL_CLASSES = _words(
    ("首次置业", "First home"), ("改善置业", "Upgrade"), ("投资客户", "Investor"), ("养老置业", "Retirement"),
)  # fmt: skip
COMPANY_CLASSES = _words(("团购单位", "Group purchase"), ("企业自用", "Own use"))

# Features: what is asked, and the answers.
CUSTOMER_FEATURES: Sequence[tuple[Word, str, bool, Sequence[Word]]] = (
    (
        Word("购房目的", "Purpose"), "choice", False,
        _words(("自住", "Own home"), ("子女上学", "Schooling"), ("婚房", "Marriage"), ("投资", "Investment")),
    ),
    (
        Word("关注因素", "Concerns"), "choice", True,
        _words(("价格", "Price"), ("地段", "Location"), ("学区", "School"), ("户型", "Layout"), ("物业", "Management")),
    ),
    (Word("意向户型", "Wanted layout"), "choice", False, LAYOUTS),
    (Word("预算（万元）", "Budget (10k CNY)"), "number", False, ()),
    (Word("有无私家车", "Owns a car"), "boolean", False, ()),
)  # fmt: skip
# Asked of one class of companies only.
GROUP_PURCHASE_FEATURE = Word("团购套数", "Homes wanted")
PHASE_OPENS = Word("{phase}期开盘", "Phase {phase} opens")
LOWER_DOWN_PAYMENT = Word("首付比例下调", "Down payment requirement lowered")
PLAN_FEATURES: Sequence[tuple[Word, Sequence[Word]]] = (
    (Word("目标客群", "Target group"), _words(("刚需", "First buyers"), ("改善", "Upgraders"), ("投资", "Investors"))),
)
ACTIVITY_FEATURES: Sequence[tuple[Word, Sequence[Word]]] = (
    (Word("场地", "Venue"), _words(("售楼处", "Sales office"), ("商场", "Shopping mall"), ("线上", "Online"))),
)
COMPETITOR_FEATURES: Sequence[tuple[Word, str]] = (
    (Word("均价（元/㎡）", "Average price (CNY/m²)"), "number"),
    (Word("优惠幅度（%）", "Discount (%)"), "number"),
    (Word("月成交套数", "Units sold in the month"), "number"),
    (Word("主力户型面积（㎡）", "Main layout (m²)"), "number"),
    (Word("精装交付", "Fitted out"), "boolean"),
)

# Sources: root (market type), its leaves.
SOURCES: Sequence[tuple[str, Word, Sequence[Word]]] = (
    ("online", Word("线上推广", "Online"), _words(
        ("官方网站", "Website"), ("搜索引擎", "Search ads"), ("短视频", "Short video"),
        ("房产门户", "Property portal"))),
    ("media", Word("传统媒体", "Media"), _words(("报纸杂志", "Newspaper"), ("广播电台", "Radio"))),
    ("outdoor", Word("户外广告", "Outdoor"), _words(("路牌广告", "Billboard"), ("地铁广告", "Metro ads"))),
    ("event", Word("活动", "Events"), _words(("房展会", "Property fair"), ("社区巡展", "Community show"))),
    ("channel", Word("渠道", "Channel partners"), _words(("中介门店", "Estate agents"), ("分销平台", "Distribution"))),
    ("referral", Word("推荐", "Referral"), _words(("老带新", "Owner referral"), ("员工推荐", "Staff referral"))),
    ("direct", Word("自然客户", "Direct"), _words(("自然到访", "Walk-in"), ("来电咨询", "Call-in"))),
    ("other", Word("其他来源", "Other source"), ()),
)  # fmt: skip

# Reasons
LOSS_REASONS = _words(
    ("价格过高", "Price too high"), ("户型不合适", "Layout does not fit"), ("地段不满意", "Location"),
    ("贷款不通过", "Loan refused"), ("无购房资格", "Not entitled to buy"), ("长期无法联系", "Cannot be reached"),
    ("暂缓购房", "Postponed"),
)  # fmt: skip
LOST_TO_COMPETITOR = Word("购买竞品", "Bought elsewhere")
CANCEL_REASONS = _words(
    ("贷款未批", "Loan not granted"), ("家庭原因", "Family reasons"), ("价格下调", "Price was cut"),
    ("资金周转", "Short of funds"), ("对房屋不满", "Dissatisfied with the unit"),
)  # fmt: skip

# Demand categories: kind, root, second level with its leaves.
DEMAND_CATEGORIES: Sequence[tuple[str, Word, Sequence[tuple[Word, Sequence[Word]]]]] = (
    ("complaint", Word("投诉", "Complaints"), (
        (Word("销售态度", "Sales attitude"), _words(
            ("接待冷淡", "Cold reception"), ("承诺不实", "Promise not kept"), ("催促签约", "Pressed to sign"))),
        (Word("面积公摊", "Area apportionment"), _words(("公摊过大", "Shared area too large"),
        ("面积误差", "Area differs"))),
        (Word("工程质量", "Build quality"), _words(
            ("渗漏水", "Leaks"), ("墙面空鼓", "Hollow plaster"), ("门窗问题", "Doors and windows"),
            ("水电问题", "Water and power"))),
        (Word("物业服务", "Property service"), _words(
            ("保洁", "Cleaning"), ("安保", "Security"), ("停车管理", "Parking"), ("收费争议", "Disputed fee"))),
        (Word("周边环境", "Surroundings"), _words(("噪音", "Noise"), ("配套不足", "Few amenities"))),
        (Word("绿化", "Greening"), _words(("养护不足", "Poor upkeep"), ("绿化缩水", "Less than promised"))),
    )),
    ("suggestion", Word("建议", "Suggestions"), (
        (Word("户型结构", "Structure"), _words(("布局", "Floor plan"), ("层高", "Ceiling height"))),
        (Word("公共设施", "Facilities"), _words(("健身设施", "Fitness"), ("儿童设施", "Playground"))),
        (Word("销售方式", "Sales mode"), _words(("线上选房", "Choosing online"), ("付款方式", "Ways to pay"))),
        (Word("价格", "Price"), _words(("优惠政策", "Discounts"),)),
        (Word("物业服务建议", "Property services"), _words(("增值服务", "Extra services"),
        ("社区活动", "Community events"))),
    )),
    ("service_request", Word("服务请求", "Service requests"), (
        (Word("报修", "Repairs"), _words(("水路报修", "Plumbing"), ("电路报修", "Electrical"),
        ("门禁报修", "Door entry"))),
        (Word("代办", "Errands"), _words(("证件办理", "Papers"), ("搬家预约", "Moving"))),
    )),
    ("decoration", Word("装修", "Decoration"), (
        (Word("装修申请", "Permits"), _words(("开工申请", "Start of work"), ("竣工验收", "Final inspection"))),
        (Word("装修监督", "Supervision"), _words(("违规装修", "Against the rules"), ("垃圾清运", "Rubbish removal"))),
    )),
    ("other", Word("其他需求", "Other demands"), ()),
)  # fmt: skip
PROMISE_CATEGORY = Word("承诺不实", "Promise not kept")
PROMISES = _words(
    ("赠送车位一年使用权", "One year of free parking"), ("精装标准与样板房一致", "Fitting out as in the show flat"),
    ("学区名额", "A place in the school district"), ("提前交房", "Early handover"),
    ("免一年物业费", "One year without fees"),
)  # fmt: skip

# Marketing
PLAN_CLASSES = _words(
    ("开盘推广", "Launch"), ("节点营销", "Seasonal campaign"), ("媒体投放", "Media campaign"),
    ("渠道拓客", "Channel campaign"),
)  # fmt: skip
ACTIVITY_CLASSES = _words(
    ("广告投放", "Advertising"), ("现场活动", "On-site event"), ("展会", "Fair"), ("渠道激励", "Partner incentive"),
    ("老业主活动", "Owners' event"),
)  # fmt: skip
EXPENSE_CATEGORIES: Sequence[tuple[Word, Sequence[Word]]] = (
    (Word("广告费", "Advertising"), _words(("媒体投放费", "Media"), ("设计制作费", "Design and production"))),
    (Word("活动费", "Events"), _words(("场地费", "Venue"), ("物料礼品", "Materials and gifts"))),
    (Word("渠道费", "Channel"), _words(("渠道佣金", "Commission"), ("推荐奖励", "Referral rewards"))),
    (Word("其他费用", "Other"), ()),
)
# What people said who were not pleased, and who were.
POOR_FEEDBACKS = _words(
    ("等候时间太长", "Waited too long"), ("优惠力度一般", "Discount is modest"), ("停车不方便", "Hard to park"),
)  # fmt: skip
GOOD_FEEDBACKS = _words(
    ("活动组织有序", "Well organised"), ("介绍详细", "Explained in detail"), ("礼品很贴心", "A thoughtful gift"),
)  # fmt: skip

# Competition
COMPETITORS = _words(
    ("恒泰地产", "Hengtai Land"), ("锦绣置业", "Jinxiu Homes"), ("远景城建", "Yuanjing Urban"),
    ("中和集团", "Zhonghe Group"),
    ("新禾地产", "Xinhe Land"), ("嘉业控股", "Jiaye Holdings"),
)  # fmt: skip
COMPETITOR_CLASSES = _words(("全国房企", "National developer"), ("本地房企", "Local developer"))
COMPETITOR_LEVELS = _words(("核心竞品", "Direct"), ("次要竞品", "Secondary"), ("关注竞品", "Watched"))

# Service
SURVEY = Word("{project}客户满意度调查 {year}", "{project} satisfaction survey {year}")
SURVEY_QUESTIONS: Sequence[tuple[str, Word]] = (
    ("satisfaction", Word("您对我们的总体满意度如何？", "How satisfied are you overall?")),
    ("rating", Word("请为服务人员的专业程度打分。", "Rate the competence of our staff.")),
    ("choice", Word("您最希望改进哪一方面？", "What should we improve first?")),
    ("text", Word("您还有什么建议？", "Anything else to tell us?")),
)
IMPROVEMENTS = _words(
    ("服务态度", "Attitude"), ("响应速度", "Speed"), ("工程质量", "Build quality"), ("价格透明", "Clear prices")
)
SURVEY_COMMENTS = _words(
    ("希望加快交付", "Please hand over sooner"), ("物业很负责", "Property staff do well"), ("无", "None")
)
# Name, calendar, month, day, days ahead, words.
CARE_RULES: Sequence[tuple[Word, str, int | None, int | None, int, Word]] = (
    (Word("春节问候", "Spring Festival greeting"), "lunar", 1, 1, 7,
     Word("恭贺新春，阖家安康！", "A happy and healthy New Year to your family!")),
    (Word("中秋问候", "Mid-Autumn greeting"), "lunar", 8, 15, 7,
     Word("中秋佳节，花好月圆！", "Wishing you a bright and happy Mid-Autumn!")),
    (Word("国庆问候", "National Day greeting"), "gregorian", 10, 1, 5,
     Word("国庆快乐，假期愉快！", "Happy National Day, and a good holiday!")),
    (Word("生日问候", "Birthday greeting"), "birthday", None, None, 3,
     Word("祝您生日快乐！", "Happy birthday!")),
    (Word("购房周年", "Purchase anniversary"), "anniversary", None, None, 7,
     Word("感谢您一年来的信任与陪伴。", "Thank you for your trust through another year.")),
)  # fmt: skip
SERVICE_ITEMS: Sequence[tuple[Word, Sequence[tuple[Word, Word, int]]]] = (
    (Word("家政服务", "Housekeeping"), (
        (Word("日常保洁", "Cleaning"), Word("小时", "hour"), 4500),
        (Word("空调清洗", "Air-conditioner cleaning"), Word("台", "piece"), 12000))),
    (Word("维修服务", "Repairs"), (
        (Word("管道疏通", "Drain clearing"), Word("次", "visit"), 8000),
        (Word("开锁换锁", "Locks"), Word("次", "visit"), 15000))),
    (Word("生活服务", "Everyday services"), (
        (Word("代收快递", "Parcel reception"), Word("件", "parcel"), 100),
        (Word("绿植养护", "Plant care"), Word("月", "month"), 6000))),
)  # fmt: skip
# Name, unit, rate in cents, basis; all are billed by the quarter.
FEE_TYPES: Sequence[tuple[Word, Word, int, str]] = (
    (Word("物业费", "Property fee"), Word("元/㎡·月", "CNY per m² per month"), 280, "area"),
    (Word("停车费", "Parking"), Word("元/月", "CNY per month"), 30000, "flat"),
    (Word("公摊水电费", "Shared water and power"), Word("元/户·月", "CNY per home per month"), 3000, "flat"),
)

# Office
TASK_TITLES: Sequence[tuple[str, Word]] = (
    ("group_purchase", Word("跟进团购意向客户", "Follow up a group purchase")),
    ("repeat_potential", Word("回访有再购潜力的业主", "Call owners likely to buy again")),
    ("connected_customer", Word("联系业主推荐的亲友", "Contact friends recommended by owners")),
    ("market_research", Word("竞品踩盘", "Visit competing estates")),
    ("office", Word("整理本月合同资料", "File this month's contracts")),
)
CARE_TASK = Word("客户关怀：{}", "Customer care: {}")
DEMAND_TASK = Word("处理客户诉求", "Handle a customer's demand")
REPORT_CLASSES: Sequence[tuple[Word, Sequence[Word]]] = (
    (Word("销售周报", "Weekly sales report"), (MARKETING_DIRECTOR, GENERAL_MANAGER)),
    (Word("营销费用申请", "Marketing expense request"), (MARKETING_DIRECTOR, GENERAL_MANAGER)),
    (Word("客服月报", "Monthly service report"), (SERVICE_MANAGER, GENERAL_MANAGER)),
)
REPORT_BODY = Word("本期工作完成情况与下期安排见附表。", "Work done in the period and the plan for the next one.")
APPROVAL_COMMENTS = _words(("同意", "Agreed"), ("请补充数据", "Please add figures"), ("已阅", "Read"))
ARTICLE_BODY = Word("# {title}\n\n{body}\n\n第{version}版。", "# {title}\n\n{body}\n\nVersion {version}.")
ARTICLES: Sequence[tuple[Word, Word, Word]] = (
    (Word("培训资料", "Training"), Word("接待流程", "Receiving visitors"),
     Word("一、迎接 二、了解需求 三、沙盘讲解 四、样板房 五、跟进。", "Greet, ask, explain, show, follow up.")),
    (Word("培训资料", "Training"), Word("电话跟进要点", "Follow-up calls"),
     Word("首次到访后24小时内回访，记录客户关注点。", "Call within 24 hours of the first visit; note the concerns.")),
    (Word("公司档案", "Company archive"), Word("集团简介", "About the group"),
     Word("集团从事房地产开发与物业管理。", "The group develops real estate and manages it.")),
    (Word("政策法规", "Policies"), Word("商品房预售管理", "Pre-sale permits"),
     Word("取得预售许可证后方可销售。", "Nothing is sold before the pre-sale permit.")),
    (Word("政策法规", "Policies"), Word("个人信息保护", "Personal data"),
     Word("取得客户同意后方可保存其信息。", "Customers' data are kept only with consent.")),
    (Word("公司档案", "Company archive"), Word("投诉处理规定", "Handling complaints"),
     Word("紧急投诉一小时内回复，普通投诉一个工作日内回复。", "Reply within an hour if urgent, else within a day.")),
)  # fmt: skip
THREADS: Sequence[tuple[Word, Sequence[Word]]] = (
    (Word("周末到访客户接待安排", "Staffing for weekend visitors"),
     _words(("建议增加两名顾问值班。", "Two more consultants, please."),
     ("同意，周五前排班。", "Agreed, roster by Friday."))),
    (Word("竞品降价如何应对", "A competitor cut prices"),
     _words(("突出交付品质。", "Stress the build quality."), ("可申请限时优惠。", "Ask for a limited offer."))),
    (Word("交付前客户沟通", "Talking to owners before handover"),
     _words(("提前一个月发通知。", "Notify a month ahead."), ("物业同步准备钥匙。", "Property prepares the keys."))),
)  # fmt: skip
WORK_PLANS = _words(
    ("完成本月客户回访，推进意向客户签约。", "Call all open customers; bring the interested to contract."),
    ("处理在办诉求，提升回复及时率。", "Clear pending demands; reply in time."),
    ("完成活动筹备与费用结算。", "Prepare the activities; settle expenses."),
)  # fmt: skip
WORK_LOGS = _words(
    ("接待来访客户，电话跟进。", "Received visitors, made follow-up calls."),
    ("整理客户资料，更新系统。", "Updated customer records."),
    ("处理客户诉求并回访。", "Handled demands and called back."), ("参加部门例会。", "Department meeting."),
)  # fmt: skip

# Notes
NEXT_STEPS = _words(
    ("电话回访", "Call back"), ("邀约到访", "Invite to visit"), ("发送户型图与报价", "Send the plans and a quote"),
    ("复访看样板房", "Second visit to the show flat"), ("洽谈价格与付款方式", "Talk about price and payment"),
)  # fmt: skip
OWNER_CHANGE_REASON = Word("原顾问离岗，客户交接", "Consultant left the team; handed over")
CALL_NOTE, VISIT_NOTE = Word("电话沟通", "Spoke by phone"), Word("到访看房", "Visited the show flat")
REPLY_NOTE, RESOLVE_NOTE = Word("已回复客户", "Replied to the customer"), Word("已处理完毕", "Settled")
POOR_COMMENTS = _words(("处理较慢", "Slow"), ("问题仍未解决", "Still not settled"), ("多次催促", "Had to ask again"))
GOOD_COMMENTS = _words(("满意", "Satisfied"), ("态度很好", "Very friendly"), ("处理及时", "Settled in time"))
