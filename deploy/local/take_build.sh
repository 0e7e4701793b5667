# Sourced by scripts that run what was built, with `root` set to the checkout's folder.

# Takes --bin BUILD, a finished build folder, out of the words: `bin`, empty without; the rest is in `words`.
take_bin() {
  bin="" words=()
  while [ $# -gt 0 ]; do
    case "$1" in
      --bin) bin=$(realpath "${2:?--bin wants a build folder}"); shift 2 ;;
      *) words+=("$1"); shift ;;
    esac
  done
}

# Without --bin the release preset is built, and `bin` is its folder.
build_release_unless_named() {
  [ -z "$bin" ] || return 0
  bin="$root/build/release"
  (cd "$root" && cmake --preset release > /dev/null && cmake --build --preset release)
}
