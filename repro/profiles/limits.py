"""How much may be read for profiles of data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProfileLimits:
    """What profiles of tables may cost.

    Attributes:
        enabled: Whether there are any.
        size: Bytes on disk; larger tables get none.
        seconds: For all tables of one capture together; what isn't done by then gets none.
    """

    enabled: bool = True
    size: int = 256 << 20
    seconds: float = 60.0
