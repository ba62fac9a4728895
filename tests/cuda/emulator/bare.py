"""The stub driver called directly, without numba-cuda: PTX written by hand for tests of it."""

import ctypes
from functools import cache

import numpy as np

from emulator import environment
from emulator.control import DEFAULTS

__all__ = ["Refused", "Stub", "module"]

_NON_BLOCKING = 1
HEADER = ".version 8.0\n.target sm_80\n.address_size 64\n"


class Refused(Exception):
    """A call of the driver that failed; the number of its error."""


def module(body, registers="", parameters=2, declared=""):
    """The PTX of a kernel ``k`` of pointers; ``%id`` is its thread in the grid, ``%p0`` … they."""
    given = ", ".join(f".param .u64 k_param_{i}" for i in range(parameters))
    loaded = "\n".join(f"ld.param.u64 %p{i}, [k_param_{i}];" for i in range(parameters))
    return f"""{HEADER}{declared}
.visible .entry k({given}) {{
    .reg .b64 %p<{max(parameters, 1)}>; .reg .b64 %id; .reg .b32 %t<4>;
    {registers}
    {loaded}
    mov.u32 %t0, %tid.x; mov.u32 %t1, %ntid.x; mov.u32 %t2, %ctaid.x;
    mad.lo.s32 %t3, %t2, %t1, %t0; cvt.u64.u32 %id, %t3;
    {body}
    ret;
}}"""


@cache
def _library():
    found = environment()
    library = ctypes.CDLL(found["LD_LIBRARY_PATH"].split(":")[0] + "/libcuda.so.1")
    return library, {name: found[name] for name in found if name.startswith("EMULATOR_")}


class Stub:
    """The driver, with settings that a test may choose."""

    def __init__(self, monkeypatch, **settings):
        self._library, found = _library()
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        self.call("cuInit", 0)
        self._addresses = []
        self._set(DEFAULTS | settings)

    def call(self, name, *arguments):
        """A function of the driver, by the name that its symbol has."""
        function = getattr(self._library, f"{name}_v2", None) or getattr(self._library, name)
        error = function(*arguments)
        if error:
            raise Refused(error)

    def count(self, name):
        """One of the counters."""
        return self._library.emulator_count(name.encode())

    def kernel(self, ptx):
        """The kernel ``k`` of a module."""
        loaded, found = ctypes.c_void_p(), ctypes.c_void_p()
        self.call("cuModuleLoadData", ctypes.byref(loaded), ptx.encode())
        self.call("cuModuleGetFunction", ctypes.byref(found), loaded, b"k")
        return found

    def memory(self, size):
        """New memory: its address."""
        address = ctypes.c_uint64()
        self.call("cuMemAlloc", ctypes.byref(address), ctypes.c_size_t(size))
        self._addresses.append(address)
        return address

    def close(self):
        """Free all memory and leave the settings as they are found by others in this process."""
        for address in self._addresses:
            self.call("cuMemFree", address)
        self._set(DEFAULTS)

    def _set(self, settings):
        for name, value in settings.items():
            self._library.emulator_set(name.encode(), str(value).encode())

    def put(self, host):
        """A copy of an array on the device: its address."""
        host = np.ascontiguousarray(host)
        address = self.memory(host.nbytes)
        size = ctypes.c_size_t(host.nbytes)
        self.call("cuMemcpyHtoD", address, host.ctypes.data_as(ctypes.c_void_p), size)
        return address

    def get(self, address, host, stream=None):
        """Copy to a host array; on a stream without waiting."""
        arguments = (host.ctypes.data_as(ctypes.c_void_p), address, ctypes.c_size_t(host.nbytes))
        if stream is None:
            self.call("cuMemcpyDtoH", *arguments)
        else:
            self.call("cuMemcpyDtoHAsync", *arguments, stream)
        return host

    def launch(self, kernel, blocks, threads, *addresses, stream=None, cooperative=False):
        """Launch on pointers."""
        each = (ctypes.c_void_p * len(addresses))(*map(ctypes.addressof, addresses))
        name = "cuLaunchCooperativeKernel" if cooperative else "cuLaunchKernel"
        rest = () if cooperative else (None,)
        self.call(name, kernel, blocks, 1, 1, threads, 1, 1, 0, stream, each, *rest)

    def stream(self, blocking=True):
        """A new stream."""
        found = ctypes.c_void_p()
        self.call("cuStreamCreate", ctypes.byref(found), 0 if blocking else _NON_BLOCKING)
        return found

    def event(self, stream):
        """An event recorded on a stream."""
        found = ctypes.c_void_p()
        self.call("cuEventCreate", ctypes.byref(found), 0)
        self.call("cuEventRecord", found, stream)
        return found
