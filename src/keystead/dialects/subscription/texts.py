"""What the subscription page says, in English and Russian, and how it writes bytes and dates.

Every language has the same keys; a test holds them to it. Bytes are counted by 1,024, as the client programs count.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from keystead.vpn.devices import Refusal


class Language(StrEnum):
    """A language the page speaks; the value is its tag."""

    ENGLISH = "en"
    RUSSIAN = "ru"


# Neighbours whose speakers mostly read Russian better than English.
_READ_RUSSIAN = frozenset({"ru", "be", "kk", "ky", "tg", "uz", "uk", "hy", "az"})

_ENGLISH = {
    "state.on": "Active",
    "state.off": "Switched off",
    "off.note": "This access is switched off. The settings in your app stay and work again once it is switched on.",
    "traffic": "Traffic used",
    "traffic.of": "of",
    "traffic.left": "left",
    "upload": "sent",
    "download": "received",
    "expires": "valid until",
    "expires.never": "no end date",
    "term": "validity",
    "connect": "Connect",
    "connect.note": "Pick your device, install one of the apps, then come back and tap “Add”.",
    "install": "Install",
    "add": "Add",
    "recommended": "easiest",
    "steps.last": "Then open the app and tap the connect button. The settings update by themselves.",
    "other": "Another device or app",
    "qr.note": "Scan the code with the phone’s camera to open this page there, or with the app to add the access.",
    "qr.alt": "QR code of this page’s address",
    "address": "Subscription address",
    "address.note": "For an app that is not listed: choose “add from clipboard” or “add subscription” and paste this.",
    "copy": "Copy",
    "copied": "Copied",
    "key": "A single key, without updates",
    "files": "Settings as a file",
    "devices": "devices",
    "devices.note": "Add the address in an app that names its device, such as Happ or v2RayTun.",
    "private": "Keep this page to yourself: whoever has its address uses your access.",
    "support": "Contact support",
    "language": "Language",
    "platform.ios": "iPhone, iPad",
    "platform.android": "Android",
    "platform.windows": "Windows",
    "platform.macos": "Mac",
    "platform.linux": "Linux",
}

_RUSSIAN = {
    "state.on": "Активен",
    "state.off": "Отключён",
    "off.note": "Доступ отключён. Настройки останутся в приложении и снова заработают, когда его включат.",
    "traffic": "Использовано трафика",
    "traffic.of": "из",
    "traffic.left": "осталось",
    "upload": "отправлено",
    "download": "получено",
    "expires": "действует до",
    "expires.never": "не ограничен",
    "term": "срок действия",
    "connect": "Подключение",
    "connect.note": "Выберите устройство, установите одно из приложений, вернитесь сюда и нажмите «Добавить».",
    "install": "Установить",
    "add": "Добавить",
    "recommended": "проще всего",
    "steps.last": "Затем откройте приложение и нажмите кнопку подключения. Настройки обновляются сами.",
    "other": "Другое устройство или приложение",
    "qr.note": "Наведите камеру телефона, чтобы открыть эту страницу на нём, "
    "или отсканируйте код в приложении, чтобы сразу добавить доступ.",
    "qr.alt": "QR-код с адресом этой страницы",
    "address": "Адрес подписки",
    "address.note": "Если приложения нет в списке: выберите в нём «добавить из буфера» "
    "или «добавить подписку» и вставьте этот адрес.",
    "copy": "Скопировать",
    "copied": "Скопировано",
    "key": "Отдельный ключ, без обновлений",
    "files": "Настройки файлом",
    "devices": "устройства",
    "devices.note": "Добавьте адрес в приложении, которое сообщает своё устройство, например Happ или v2RayTun.",
    "private": "Не показывайте эту страницу никому: с её адресом вашим доступом сможет пользоваться любой.",
    "support": "Написать в поддержку",
    "language": "Язык",
    "platform.ios": "iPhone, iPad",
    "platform.android": "Android",
    "platform.windows": "Windows",
    "platform.macos": "Mac",
    "platform.linux": "Linux",
}

TEXTS: Mapping[Language, Mapping[str, str]] = {Language.ENGLISH: _ENGLISH, Language.RUSSIAN: _RUSSIAN}

# Shown by client programs that read announcements; in both languages, since a program does not say which it speaks.
DEVICE_ANNOUNCEMENTS = {
    Refusal.FULL: "Достигнут предел устройств / The limit of devices is reached",
    Refusal.UNNAMED: "Приложение не сообщает устройство (HWID) / This app does not name its device (HWID)",
}
OFF_ANNOUNCEMENT = "Доступ отключён / This access is switched off"

_UNITS = {
    Language.ENGLISH: ("B", "KB", "MB", "GB", "TB", "PB"),
    Language.RUSSIAN: ("Б", "КБ", "МБ", "ГБ", "ТБ", "ПБ"),
}
_ENGLISH_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_RUSSIAN_MONTHS = (
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
)
_MONTHS = {
    Language.ENGLISH: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    Language.RUSSIAN: [
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ],
}
_NO_BREAK_SPACE = "\u00a0"


def language(asked: str | None, accept_language: str) -> Language:
    """Return the language asked for by ``?lang=``, else the best of Accept-Language, else English."""
    if asked in set(Language):
        return Language(asked)
    for tag in _by_preference(accept_language):
        if tag in _READ_RUSSIAN:
            return Language.RUSSIAN
        if tag == Language.ENGLISH:
            return Language.ENGLISH
    return Language.ENGLISH


def size(size_bytes: int, spoken: Language) -> str:
    """Return bytes for people: ``1.5 GB``, ``1,5 ГБ``."""
    amount, unit = float(size_bytes), 0
    while round(amount, 1) >= 1024 and unit < len(_UNITS[spoken]) - 1:
        amount, unit = amount / 1024, unit + 1
    number = f"{amount:.0f}" if unit == 0 or amount >= 100 else f"{amount:.1f}".removesuffix(".0")
    if spoken is Language.RUSSIAN:
        number = number.replace(".", ",")
    return f"{number}{_NO_BREAK_SPACE}{_UNITS[spoken][unit]}"


def day(moment: datetime, spoken: Language) -> str:
    """Return the day of a moment in UTC: ``7 March 2027``."""
    return _NO_BREAK_SPACE.join((str(moment.day), _MONTHS[spoken][moment.month - 1], str(moment.year)))


def _by_preference(accept_language: str) -> list[str]:
    weighted = []
    for item in accept_language.split(","):
        tag, _, parameter = item.strip().partition(";")
        weighted.append((_weight(parameter), tag.partition("-")[0].strip().lower()))
    return [tag for weight, tag in sorted(weighted, key=lambda pair: -pair[0]) if weight > 0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
