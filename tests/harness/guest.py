# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest in an option ROM, for runs under an accelerator.

The firmware runs it; it goes to 32-bit protected mode, where it reaches all below 4 GiB, and
counts for ever. While WINDOW holds an address, each round copies 32 bits from there to SEEN,
and writes their complement behind them.
"""

import struct

from .processes import wait_until

COUNTER = 0x8000  # 32 bits: rounds
WINDOW = 0x8008   # 32 bits: guest physical address, 0 for none
SEEN = 0x8010     # 32 bits

BOOT_TIMEOUT_S = 60

_LOAD = 0x7C00

# 16 bits, until the far jump.
_START = bytes.fromhex(
    "fa"              # cli
    "31c0"            # xor ax,ax
    "8ed8"            # mov ds,ax
    "0f0116 {gdtr}"   # lgdt [gdtr]
    "0f20c0"          # mov eax,cr0
    "0c01"            # or al,1
    "0f22c0"          # mov cr0,eax
    "ea {main} 0800"  # jmp 0x08:main
    .format(gdtr="0000", main="0000"))
_GDTR_AT, _MAIN_AT = 8, 19

# 32 bits.
_MAIN = (bytes.fromhex("66b81000"       # mov ax,0x10
                       "8ed8")          # mov ds,ax
         + b"\xff\x05" + struct.pack("<I", COUNTER)   # inc dword [COUNTER]
         + b"\x8b\x35" + struct.pack("<I", WINDOW)    # mov esi,[WINDOW]
         + bytes.fromhex("85f6"         # test esi,esi
                         "74f0")        # jz (inc)
         + bytes.fromhex("8b06")        # mov eax,[esi]
         + b"\xa3" + struct.pack("<I", SEEN)          # mov [SEEN],eax
         + bytes.fromhex("f7d0"         # not eax
                         "894604"       # mov [esi+4],eax
                         "ebe2"))       # jmp (inc)

# Nothing; all of memory as code; all of memory as data.
_GDT = (bytes(8) + bytes.fromhex("ffff000000 9acf00") + bytes.fromhex("ffff000000 92cf00"))


# 16 bits, in the ROM: copies what follows to _LOAD and goes on there.
_COPY = bytes.fromhex(
    "0e 1f"           # push cs; pop ds
    "31c0 8ec0"       # xor ax,ax; mov es,ax
    "fa fc"           # cli; cld
    "be {source}"     # mov si,source
    "bf {target}"     # mov di,_LOAD
    "b9 {count}"      # mov cx,count
    "f3a4"            # rep movsb
    "ea {target} 0000"  # jmp 0:_LOAD
    .format(source="0000", target=struct.pack("<H", _LOAD).hex(), count="0000"))
_SOURCE_AT, _COUNT_AT = 9, 15
_ENTRY = 3
_BLOCK = 512


def _program():
    main = _LOAD + len(_START)
    gdtr = main + len(_MAIN)
    code = bytearray(_START)
    struct.pack_into("<H", code, _GDTR_AT, gdtr)
    struct.pack_into("<H", code, _MAIN_AT, main)
    return bytes(code) + _MAIN + struct.pack("<HI", len(_GDT) - 1, gdtr + 6) + _GDT


def rom():
    """An option ROM, which the firmware runs when it has set up the devices."""
    program = _program()
    copy = bytearray(_COPY)
    struct.pack_into("<H", copy, _SOURCE_AT, _ENTRY + len(copy))
    struct.pack_into("<H", copy, _COUNT_AT, len(program))
    blocks = -(-(_ENTRY + len(copy) + len(program) + 1) // _BLOCK)
    image = bytearray(bytes([0x55, 0xAA, blocks]) + copy + program)
    image = image.ljust(blocks * _BLOCK, b"\0")
    image[-1] = -sum(image) & 0xFF
    return bytes(image)


def options(path):
    """Options of a QEMU that runs the guest, from the file PATH, which this writes."""
    with open(path, "wb") as image:
        image.write(rom())
    return ["-option-rom", path]


def peek32(machine, address):
    return int(machine.driver.do(f"peek 0x{address:x}"), 16) & 0xFFFFFFFF


def await_rounds(machine):
    """Until the guest has gone on counting: its virtual CPU runs, and the firmware is through."""
    first = peek32(machine, COUNTER)
    wait_until(lambda: peek32(machine, COUNTER) != first, BOOT_TIMEOUT_S,
               "the guest to count", [machine.qemu])
