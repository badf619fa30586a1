#!/usr/bin/env bash
# What no CPU can show, on a machine with a CUDA GPU: tests/gpu.sh [PART ...], from the root of the repository.
#
# Without parts: the correctness parts (under 3 minutes), then speed and curve (under 8 together). Each part has a
# timeout and writes its output at once to $OUT (default: gpu-results); a table follows at the end. Needs torch with
# CUDA, and from wheels or PyPI what pyproject.toml lists: rustbpe, tiktoken, pydantic, tomli-w, platformdirs, filelock,
# safetensors, rich. PYTHON names the interpreter.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" TINYLM_HOME="${TINYLM_HOME:-$(mktemp -d)}"
python=${PYTHON:-python3} out=${OUT:-gpu-results}
mkdir -p "$out"
"$python" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' || {
    echo "This machine has no CUDA GPU that torch can use." >&2
    exit 2
}

declare -A limit=([versions]=30 [tests]=60 [same]=60 [samples]=30 [failed]=30 [whole]=60 [small]=60 [compiled]=90
    [resume]=90 [speed]=60 [quick]=90 [seed]=90)
parts=("$@")
[ $# -gt 0 ] || parts=(versions tests same samples failed whole small resume speed compiled quick seed)

table=()
failures=0
for part in "${parts[@]}"; do
    [ -n "${limit[$part]:-}" ] || { echo "There is no part $part: ${!limit[*]}." >&2; exit 2; }
    echo "== $part"
    started=$SECONDS
    if [ "$part" = tests ]; then
        timeout "${limit[$part]}" "$python" -m pytest -q -n0 -k cuda tests/training tests/inference 2>&1 | tee "$out/$part.txt"
    else
        timeout "${limit[$part]}" "$python" tests/gpu_checks.py "$part" 2>&1 | tee "$out/$part.txt"
    fi
    code=${PIPESTATUS[0]}
    case $code in
        0) result=ok ;;
        124) result="out of time" ;;
        *) result="failed ($code)" ;;
    esac
    [ "$code" -eq 0 ] || failures=$((failures + 1))
    table+=("$(printf '%-10s %-12s %4d s' "$part" "$result" $((SECONDS - started)))")
    printf '%s\n' "${table[@]}" >"$out/table.txt"
done
echo
cat "$out/table.txt"
exit $((failures > 0))
