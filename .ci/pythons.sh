# A Python of this version, under its own name or pyenv's.
find_python() {
  local python
  for python in "python$1" ~/.pyenv/versions/"$1".*/bin/python; do
    if "$python" --version > /dev/null 2>&1; then echo "$python"; return; fi
  done
  return 1
}
