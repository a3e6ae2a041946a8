"""How kernels are compiled: what Python calls, and all that it calls, as one program.

Numba optimizes each function, turns it into machine code and keeps it on disk, also if only other
kernels call it; and their callers do so again with all that they call: a kernel ten calls deep ten
times. Here a kernel that another one calls ends as intermediate code. What Python calls is linked
with all of that, and then optimized once. It takes two thirds of the time, what is kept on disk a
tenth of the space, and since nothing else can call the parts, they are inlined more freely and run
about a tenth faster. All of that is built on inner parts of numba: with a release that is not known
here, kernels are compiled as numba does by itself.
"""

# Numba has no types that mypy knows.
# mypy: disable-error-code="misc, no-untyped-call"

import re
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from llvmlite import binding as llvm
from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher

Kernel = TypeVar("Kernel", bound=Callable[..., Any])


LAST_KNOWN = (0, 68)
"""The last release of numba whose inner parts are known to fit what is built on them here."""


def is_known(version: str) -> bool:
    """Whether programs can be built with this numba; with a later one its own way must do."""
    return tuple(int(part) for part in version.split(".")[:2]) <= LAST_KNOWN


def compiled(kernel: Kernel) -> Kernel:
    """Compiles `kernel` when it is called, from Python or from another kernel.

    It releases the interpreter lock, and does not check for division by zero: no kernel does that.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    if not is_known(numba.__version__):
        return cast(Kernel, njit(cache=True, **options)(kernel))
    dispatcher: Any = njit(pipeline_class=_ProgramCompiler, **options)(kernel)
    dispatcher._cache = _ProgramCache(kernel)
    # What numba asks for when it types and when it writes a call from another kernel.
    part = _Part(kernel, targetoptions={"nopython": True, **options}, pipeline_class=_PartCompiler)
    dispatcher.get_call_template = part.get_call_template
    dispatcher.get_overload = part.get_overload
    return cast(Kernel, dispatcher)


class _ProgramCache(FunctionCache):
    """Programs on disk. Numba takes one for fresh as long as the file of its kernel is the same;
    here all modules that the file imports must be.
    """

    def __init__(self, kernel: Callable[..., Any]) -> None:
        super().__init__(kernel)
        self._cache_file._source_stamp = _fingerprint(Path(kernel.__code__.co_filename))


PACKAGES = Path(__file__).parents[2]
IMPORT = re.compile(r"^from (accel_dse[\w.]*) import \(?([\w\s,]+)", re.MULTILINE)


@cache
def _fingerprint(source: Path) -> str:
    """Says whether a source is the same, and all modules of this package that it imports."""
    text = source.read_text() if source.is_file() else ""
    digest = sha256(text.encode())
    for package, names in IMPORT.findall(text):
        for module in (package, *(f"{package}.{name.strip()}" for name in names.split(","))):
            imported = PACKAGES.joinpath(*module.split(".")).with_suffix(".py")
            if imported.is_file():
                digest.update(_fingerprint(imported).encode())
    return digest.hexdigest()


class _Part(CPUDispatcher):
    """A kernel as other kernels call it."""

    def compile(self, signature: Any) -> Any:
        """Once for all numbers of a type: numba compiles anew for each constant in a call."""
        return super().compile(tuple(types.unliteral(each) for each in signature))

    def add_overload(self, result: Any) -> None:
        """Adds what was compiled; not to what Python may call, since there is no machine code."""
        self.overloads[tuple(result.signature.args)] = result


class _PartCompiler(Compiler):
    """Stops at intermediate code."""

    def compile_extra(self, kernel: Callable[..., Any]) -> Any:
        """Compiles `kernel`, and makes it known to kernels that call it."""
        state = self.state
        state.library = _PartLibrary(state.targetctx.codegen(), kernel.__qualname__)
        state.flags.no_compile = True
        state.flags.no_cpython_wrapper = True
        state.flags.no_cfunc_wrapper = True
        result = super().compile_extra(kernel)
        # The name that callers know it by: where there is machine code it is that.
        name = object()
        state.targetctx.insert_user_function(name, result.fndesc, [result.library])
        return result._replace(entry_point=name)


class _PartLibrary(JITCodeLibrary):
    """Intermediate code of one kernel, and what it calls."""

    def finalize(self) -> None:
        """Leaves everything to the program that this is to be a part of."""
        self._finalized = True

    def _get_module_for_linking(self) -> Any:
        """The kernel and all parts that it calls, in a module of their own."""
        if self._shared_module is None:
            module = self._codegen._create_empty_module(self.name)
            self._shared_module = llvm.parse_assembly(str(module))
            parts = self._parts()
            for part in parts:
                self._shared_module.link_in(part._final_module, preserve=True)
            # After what calls them: the linker leaves out what nobody asks for.
            for library in {other: None for part in parts for other in part._linking_libraries}:
                if not isinstance(library, _PartLibrary):
                    self._shared_module.link_in(library._get_module_for_linking(), preserve=True)
            _relink(self._shared_module, llvm.Linkage.external, "linkonce_odr")
        return self._shared_module

    def _parts(self) -> list["_PartLibrary"]:
        """The kernel and all that it calls, each once."""
        parts = [self]
        for part in parts:
            for library in part._linking_libraries:
                if isinstance(library, _PartLibrary) and library not in parts:
                    parts.append(library)
        return parts


class _ProgramCompiler(Compiler):
    """Goes on to machine code, with all parts."""

    def compile_extra(self, kernel: Callable[..., Any]) -> Any:
        """Compiles `kernel` to be called from Python."""
        state = self.state
        state.library = _ProgramLibrary(state.targetctx.codegen(), kernel.__qualname__)
        state.library.enable_object_caching()
        state.flags.no_cfunc_wrapper = True
        return super().compile_extra(kernel)


class _ProgramLibrary(JITCodeLibrary):
    """Machine code of a kernel and all its parts."""

    def _optimize_final_module(self) -> None:
        """Lets the compiler know that nothing else calls the parts."""
        _relink(self._final_module, llvm.Linkage.linkonce_odr, "internal")
        super()._optimize_final_module()


def _relink(module: Any, linkage: llvm.Linkage, wanted: str) -> None:
    """Changes how what is defined in `module` with one linkage is seen from other modules."""
    for function in module.functions:
        if not function.is_declaration and function.linkage == linkage:
            function.linkage = wanted
