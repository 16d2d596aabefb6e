"""What a processor does in one step, and Python has no word for: 16 bytes at a time.

What is read and what is written has `PADDING` behind its end.
"""

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from novade_pipeline.json_rows.compiled.padding import PADDING

Function = TypeVar("Function", bound=Callable[..., Any])
Integers: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Smalls: TypeAlias = np.ndarray[Any, np.dtype[np.int32]]
Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Hashes: TypeAlias = np.ndarray[Any, np.dtype[np.uint64]]
Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

QUOTE, BACKSLASH, SPACE = (ord(c) for c in '"\\ ')

_INT64 = ir.IntType(64)
_SIXTEEN = ir.VectorType(ir.IntType(8), PADDING)


def part(function: Function) -> Function:
    """Compiled with what calls it."""
    return cast(Function, numba.njit(function))


def compiled(function: Function) -> Function:
    """Compiled at its first call, in seconds, and kept where there is a place for it."""
    try:
        return cast(Function, numba.njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # Neither the code's folder nor the user's cache can be written.
        return cast(Function, numba.njit(nogil=True)(function))


def _byte_at(typing: Any, text: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        return builder.zext(builder.load(builder.gep(data, [given[1]], inbounds=True)), _INT64)

    return numba.int64(text, numba.int64), code


def _word_at(typing: Any, text: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, given[0]).data
        place = builder.gep(data, [given[1]], inbounds=True)
        return _loaded(builder, builder.bitcast(place, _INT64.as_pointer()))

    return numba.uint64(text, numba.int64), code


def _sixteen(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    """The address of 16 bytes of an array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at], inbounds=True), _SIXTEEN.as_pointer())


def _loaded(builder: Any, address: Any) -> Any:
    value = builder.load(address)
    value.align = 1
    return value


def _first(builder: Any, mask: Any) -> Any:
    """The first place where a mask of 16 is set; 16 where none is."""
    bits = builder.zext(builder.bitcast(mask, ir.IntType(PADDING)), _INT64)
    bits = builder.or_(bits, ir.Constant(_INT64, 1 << PADDING))
    return builder.cttz(bits, ir.Constant(ir.IntType(1), 1))


def _plain_ahead(typing: Any, text: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        chars = _loaded(builder, _sixteen(context, builder, signature.args[0], *given))
        quote, backslash, space = (
            ir.Constant(_SIXTEEN, [c] * PADDING) for c in (QUOTE, BACKSLASH, SPACE)
        )
        stops = builder.or_(
            builder.icmp_unsigned("==", chars, quote),
            builder.icmp_unsigned("==", chars, backslash),
        )
        # With a sign, bytes beyond ASCII are less than a space as well.
        return _first(builder, builder.or_(stops, builder.icmp_signed("<", chars, space)))

    return numba.int64(text, numba.int64), code


def _same_ahead(typing: Any, text: Any, at: Any, name: Any, name_at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        left, right = (
            _loaded(builder, _sixteen(context, builder, signature.args[i], *given[i : i + 2]))
            for i in (0, 2)
        )
        return _first(builder, builder.icmp_unsigned("!=", left, right))

    return numba.int64(text, numba.int64, name, numba.int64), code


def _copy_ahead(typing: Any, target: Any, target_at: Any, text: Any, at: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        source = _sixteen(context, builder, signature.args[2], *given[2:])
        target = _sixteen(context, builder, signature.args[0], *given[:2])
        builder.store(_loaded(builder, source), target).align = 1
        return context.get_dummy_value()

    return numba.void(target, numba.int64, text, numba.int64), code


byte_at = cast("Callable[[Bytes, int], int]", intrinsic(_byte_at))
"""(text, at): the byte; Numba would ask first whether it is to be counted from the end."""
word_at = cast("Callable[[Bytes, int], np.uint64]", intrinsic(_word_at))
"""(text, at): eight bytes as a number, the first the lowest."""
plain_ahead = cast("Callable[[Bytes, int], int]", intrinsic(_plain_ahead))
"""(text, at): how many bytes, 16 at most, come before one that no JSON text holds as it is."""
same_ahead = cast("Callable[[Bytes, int, Bytes, int], int]", intrinsic(_same_ahead))
"""(text, at, name, at in it): how many bytes, 16 at most, are the same in both."""
copy_ahead = cast("Callable[[Bytes, int, Bytes, int], None]", intrinsic(_copy_ahead))
"""(target, at in it, text, at): copy 16 bytes."""
