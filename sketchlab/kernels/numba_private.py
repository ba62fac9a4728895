"""Whatever is used of Numba beyond its documented interface, in one place.

CI tests these with the versions in `TESTED`; setup.cfg excludes Numba's next minor version until
they have been tested with it. Used are: the class behind the type of a NamedTuple
(``instance_class``), a dispatcher's cache and the compiled results it keeps (``_cache``,
``NullCache``, ``CompileResult``), compilation without reference counts (``_nrt``), inlining before
optimisation (``forceinline``), the builders of LLVM instructions behind ``intrinsic``, and the
functions that read and set the number of threads (``_get_num_threads``, ``_set_num_threads``).
"""

import pickle
from functools import wraps

import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps
from numba.extending import intrinsic, overload, register_jitable
from numba.np.ufunc import parallel

__all__ = [
    "TESTED",
    "Dispatcher",
    "KeptCode",
    "by_bytes",
    "by_missing",
    "by_type",
    "class_of",
    "compile_kernel",
    "count_threads",
    "dumps",
    "in_turn",
    "inlined",
    "overload_inlined",
    "prefetch_line",
    "use_threads",
]

#: The versions with which CI runs the tests.
TESTED = {"numba": "0.68", "numba-cuda": "0.30"}


def class_of(numba_type):
    """The NamedTuple class that a Numba type stands for; None for other types."""
    return getattr(numba_type, "instance_class", None)


def by_type(functions, otherwise=None):
    """Replace a function by the one that a table names for the type of its first argument.

    In plain Python (and in a simulator) the table is looked up at each call; compiled, the function
    found takes the place of the call.

    Parameters
    ----------
    functions : dict
        From NamedTuple classes to functions with the parameters of the decorated one. Later entries
        count, too.
    otherwise : callable, optional
        For all other classes.
    """

    def of_class(kind):
        return functions[kind] if otherwise is None else functions.get(kind, otherwise)

    return _chosen(
        lambda first: of_class(type(first)),
        lambda first: functions.get(class_of(first), otherwise),
        overload,
    )


def by_missing(names, functions):
    """Replace a function by another, by which fields of its first argument, a NamedTuple, are None.

    Parameters
    ----------
    names : tuple of str
        Of these fields.
    functions : dict
        From tuples of bool, one for each name, to functions with the parameters of the decorated
        one.
    """

    def missing(first):
        return functions[tuple(getattr(first, name) is None for name in names)]

    def missing_in_type(first):
        kinds = (first.types[first.fields.index(name)] for name in names)
        return functions[tuple(isinstance(kind, types.NoneType) for kind in kinds)]

    return _chosen(missing, missing_in_type, overload_inlined)


def by_bytes(other, two):
    """Replace a function by `two`, where the first argument is of uint16, else by `other`.

    That argument is an array or one number.
    """

    def wide(first):
        return two if first.dtype == np.uint16 else other

    def wide_in_type(first):
        return two if getattr(first, "dtype", first) == types.uint16 else other

    return _chosen(wide, wide_in_type, overload_inlined)


def _chosen(in_python, compiled, overloaded):
    """A decorator: another function, chosen by the first argument or by its type, takes over."""

    def decorate(function):
        @wraps(function)
        def chosen(first, *others):
            return in_python(first)(first, *others)

        @overloaded(chosen)
        @wraps(function)
        def choose(first, *others):
            return compiled(first)

        return chosen

    return decorate


#: `register_jitable` for a function that is inlined before anything is optimised.
inlined = register_jitable(forceinline=True)


def overload_inlined(function):
    """`overload` of a function that is inlined before anything is optimised."""
    return overload(function, jit_options={"forceinline": True})


def in_turn(function):
    """Call `function` for every entry of a tuple, compiled without a loop over them.

    Parameters
    ----------
    function : callable
        ``function(entry, previous, *others)``, where `previous` is what the call for the entry
        before gave.

    Returns
    -------
    callable
        ``called(entries, previous, *others)``: the tuple of what the calls gave.
    """

    def called(entries, previous, *others):
        results = []
        for entry in entries:
            previous = function(entry, previous, *others)
            results.append(previous)
        return tuple(results)

    @overload_inlined(called)
    def choose(entries, previous, *others):
        if len(entries) == 0:
            return lambda entries, previous, *others: ()

        def unrolled(entries, previous, *others):
            result = function(entries[0], previous, *others)
            return (result,) + called(entries[1:], result, *others)  # noqa: RUF005

        return unrolled

    return called


def count_threads():
    """As ``numba.get_num_threads``, in a tenth of its time."""
    if not parallel._is_initialized:
        return numba.get_num_threads()
    return parallel._get_num_threads()


def use_threads(count):
    """As ``numba.set_num_threads`` without its checks, once threads have been started."""
    parallel._set_num_threads(count)


def compile_kernel(function, kept_code, **options):
    """Compile a kernel at its first call for each tuple of types, see `compile.kernel`.

    Parameters
    ----------
    function : callable
    kept_code : callable
        Makes the `KeptCode` of a dispatcher.
    options
        Further ones of ``numba.njit``.

    Returns
    -------
    Dispatcher, or the function itself with ``NUMBA_DISABLE_JIT=1``
    """
    options = {"parallel": True, "nogil": True, "error_model": "numpy", "_nrt": False} | options
    compiled = njit(function, **options)
    if isinstance(compiled, Dispatcher):
        # what `cache=True` sets, to Numba's own cache; there is no public way to another one
        compiled._cache = kept_code(compiled)
    return compiled


class KeptCode(NullCache):
    """The disk cache of one kernel, as a Numba dispatcher asks for it.

    A derived class says where: ``contents(key)`` yields what may have been kept under a key,
    ``keep(key, content)`` keeps it.
    """

    def __init__(self, dispatcher):
        function = dispatcher.py_func
        closure = [cell.cell_contents for cell in function.__closure__ or ()]
        options = sorted(dispatcher.targetoptions.items())
        self._made_from = repr(options), function.__code__.co_code, dumps(closure)

    def load_overload(self, sig, target_context):
        """The kernel compiled for a signature, or None where it is not kept."""
        # Most of the time of a cached first step. Without it the runtime that loaded code may call
        # is not there, and code that allocates crashes.
        target_context.refresh()
        key = self._key(sig, target_context.codegen())
        for content in self.contents(key):
            kept_key, reduced = pickle.loads(content)
            if kept_key == key:
                return CompileResult._rebuild(target_context, *reduced)
        return None

    def save_overload(self, sig, compiled):
        """Keep a compiled kernel."""
        if compiled.library.has_dynamic_globals:
            return  # it holds addresses of this process
        key = self._key(sig, compiled.codegen)
        self.keep(key, dumps((key, compiled._reduce())))

    def _key(self, sig, codegen):
        return sig, codegen.magic_tuple(), self._made_from


@intrinsic
def prefetch_line(typingctx, address):
    """Ask for one cache line, for reading or writing, to be kept in all levels of the cache."""

    def generate(context, builder, signature, arguments):
        pointer = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        number = cgutils.int32_t
        kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        read, keep, data = (ir.Constant(number, value) for value in (0, 3, 1))
        builder.call(function, [pointer, read, keep, data])
        return context.get_dummy_value()

    return types.void(types.uintp), generate
