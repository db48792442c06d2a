"""The system calls that a sandbox is refused: those that Docker's default profile refuses a container. Pure.

Docker lists what is allowed, this list what is not: calls that reach beyond the sandbox, or that have been the way out
of many. A filter of their kind is a classic BPF program (Linux, Documentation/userspace-api/seccomp_filter.rst).
"""

import errno
import struct
from dataclasses import dataclass

_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _PROCESSOR, _FIRST_ARGUMENT = 0, 4, 16
_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """A processor's audit number (linux/audit.h), its calls' numbers (asm/unistd.h), and where another set begins."""

    audit: int
    clone: int
    refused: dict[str, int]
    others_from: int | None = None


_CLONE3 = 435
"""Its flags are in memory, which no filter can read: with ENOSYS, libraries fall back to clone."""

_NEW = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "open_tree_attr": 467,
}
"""Numbers since 424 are the same everywhere."""

_MACHINES = {
    "x86_64": _Machine(
        audit=0xC000003E,
        clone=56,
        others_from=0x40000000,  # x32
        refused=_NEW
        | {
            "syslog": 103,
            "uselib": 134,
            "ustat": 136,
            "sysfs": 139,
            "vhangup": 153,
            "pivot_root": 155,
            "_sysctl": 156,
            "chroot": 161,
            "acct": 163,
            "settimeofday": 164,
            "mount": 165,
            "umount2": 166,
            "swapon": 167,
            "swapoff": 168,
            "reboot": 169,
            "sethostname": 170,
            "setdomainname": 171,
            "iopl": 172,
            "ioperm": 173,
            "create_module": 174,
            "init_module": 175,
            "delete_module": 176,
            "quotactl": 179,
            "nfsservctl": 180,
            "lookup_dcookie": 212,
            "clock_settime": 227,
            "mbind": 237,
            "set_mempolicy": 238,
            "get_mempolicy": 239,
            "kexec_load": 246,
            "add_key": 248,
            "request_key": 249,
            "keyctl": 250,
            "migrate_pages": 256,
            "unshare": 272,
            "move_pages": 279,
            "perf_event_open": 298,
            "fanotify_init": 300,
            "name_to_handle_at": 303,
            "open_by_handle_at": 304,
            "clock_adjtime": 305,
            "setns": 308,
            "kcmp": 312,
            "finit_module": 313,
            "kexec_file_load": 320,
            "bpf": 321,
            "userfaultfd": 323,
        },
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        clone=220,
        refused=_NEW
        | {
            "lookup_dcookie": 18,
            "umount2": 39,
            "mount": 40,
            "pivot_root": 41,
            "nfsservctl": 42,
            "chroot": 51,
            "vhangup": 58,
            "quotactl": 60,
            "acct": 89,
            "unshare": 97,
            "kexec_load": 104,
            "init_module": 105,
            "delete_module": 106,
            "clock_settime": 112,
            "syslog": 116,
            "reboot": 142,
            "sethostname": 161,
            "setdomainname": 162,
            "settimeofday": 170,
            "add_key": 217,
            "request_key": 218,
            "keyctl": 219,
            "swapon": 224,
            "swapoff": 225,
            "mbind": 235,
            "get_mempolicy": 236,
            "set_mempolicy": 237,
            "migrate_pages": 238,
            "move_pages": 239,
            "perf_event_open": 241,
            "fanotify_init": 262,
            "name_to_handle_at": 264,
            "open_by_handle_at": 265,
            "clock_adjtime": 266,
            "setns": 268,
            "kcmp": 272,
            "finit_module": 273,
            "bpf": 280,
            "userfaultfd": 282,
            "kexec_file_load": 294,
        },
    ),
}


def filter_program(machine: str) -> bytes | None:
    """The filter for a processor as the kernel names it (`uname -m`), as bwrap's `--seccomp` reads it; None for others.

    What it refuses fails with EPERM, as in Docker; clone3, and calls of another processor's kind, with ENOSYS.
    """
    found = _MACHINES.get(machine)
    if found is None:
        return None
    steps = [
        (_LOAD, 0, 0, _PROCESSOR),
        (_EQUAL, 1, 0, found.audit),
        (_RETURN, 0, 0, _REFUSE | errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        *_when(_EQUAL, _CLONE3, errno.ENOSYS),
    ]
    if found.others_from is not None:
        steps += _when(_AT_LEAST, found.others_from, errno.ENOSYS)
    for number in sorted(found.refused.values()):
        steps += _when(_EQUAL, number, errno.EPERM)
    steps += [
        (_EQUAL, 0, 3, found.clone),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        *_when(_ANY_BIT, _NAMESPACES, errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def _when(condition: int, value: int, error: int) -> list[tuple[int, int, int, int]]:
    """Refuse when the condition holds, else go on."""
    return [(condition, 0, 1, value), (_RETURN, 0, 0, _REFUSE | error)]
