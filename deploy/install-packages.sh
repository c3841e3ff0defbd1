# shellcheck shell=bash
# Sourced by dev.sh and test.sh; not a command of its own.
#
# Finds out which Debian packages are missing, says which and why, and installs exactly these: as root, or with sudo.
# Where everything is there it does nothing, needs no rights and no network. It starts, stops and configures no service:
# if PostgreSQL's server is not installed yet, Debian's default cluster is switched off before the package comes, since
# Carillon's development and test clusters are private ones.

# What the build needs, what `carillon dev` needs, and (test.sh) what the tests need besides.
build_packages=(
    binutils libc6-dev libstdc++-12-dev # the linker and headers that a bare Swift toolchain expects
    libpq-dev libssl-dev libcrypt-dev libcurl4-openssl-dev zlib1g-dev pkg-config
    tzdata
)
run_packages=(postgresql util-linux)
test_packages=(python3 python3-requests python3-pip openssl curl iproute2 procps)
# Archives that jobs fetch, and containers (98 MB); without the latter the tests that run one say so and are skipped.
test_packages+=(unzip bzip2 xz-utils podman runc busybox-static)
# What stands before nodes and database elsewhere. Their services stay off.
test_packages+=(haproxy nginx-light pgbouncer python3-yaml)

# The oldest compiler that reads the manifest.
required_swift_major=6
required_swift_minor=2

say() { printf 'carillon: %s\n' "$*" >&2; }

fail() {
    printf 'carillon: error: %s\n' "$*" >&2
    exit 1
}

# Puts a Swift toolchain on PATH if one lies at a usual place, and checks its version.
require_swift() {
    if ! command -v swift >/dev/null 2>&1; then
        local folder
        for folder in "${HOME:-/nonexistent}/.local/share/swiftly/bin" "${HOME:-/nonexistent}/.swiftly/bin" \
            /opt/swift/usr/bin /usr/local/swift/usr/bin /usr/libexec/swift/bin; do
            if [ -x "$folder/swift" ]; then
                PATH="$folder:$PATH"
                break
            fi
        done
    fi
    command -v swift >/dev/null 2>&1 || fail "no Swift toolchain found: install Swift" \
        "$required_swift_major.$required_swift_minor or newer (https://www.swift.org/install/linux/debian/12/)" \
        "and put its bin folder on PATH"
    local text version major minor
    text=$(swift --version 2>&1) || fail "'swift --version' fails; its output: $text"
    version=$(printf '%s\n' "$text" | sed -n 's/.*Swift version \([0-9][0-9]*\.[0-9][0-9]*\).*/\1/p' | head -n 1)
    [ -n "$version" ] || fail "cannot read the version of $(command -v swift) from: $text"
    major=${version%%.*}
    minor=${version#*.}
    if [ "$major" -lt "$required_swift_major" ] ||
        { [ "$major" -eq "$required_swift_major" ] && [ "$minor" -lt "$required_swift_minor" ]; }; then
        fail "Swift $version at $(command -v swift) is too old: Carillon needs" \
            "$required_swift_major.$required_swift_minor or newer"
    fi
}

package_is_installed() {
    local status
    # dpkg-query fails for a package that it has never heard of: that is the answer no.
    status=$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) || return 1
    [ "$status" = installed ]
}

postgres_server_is_installed() {
    command -v initdb >/dev/null 2>&1 && return 0
    local program
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] && return 0
    done
    return 1
}

# Runs a command with the rights to install.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        sudo -n "$@"
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >&2 ||
        fail "apt-get could not install: $* (its messages stand above)"
}

# install_missing PACKAGE...
install_missing() {
    command -v dpkg-query >/dev/null 2>&1 || fail "this is not a Debian system (there is no dpkg-query):" \
        "install the equivalents of these Debian packages by hand and use 'swift build': $*"
    local package missing=()
    for package in "$@"; do
        # Any version of the server, of the C++ library and of Python's modules will do, wherever it came from.
        case $package in
        python3-requests) python3 -c 'import requests' 2>/dev/null || missing+=("$package") ;;
        python3-pip) python3 -m pip --version >/dev/null 2>&1 || missing+=("$package") ;;
        postgresql) postgres_server_is_installed || missing+=("$package") ;;
        libstdc++-*-dev) compgen -G '/usr/lib/gcc/*/*/libstdc++.so' >/dev/null || missing+=("$package") ;;
        *) package_is_installed "$package" || missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    say "these Debian packages are missing and will be installed now: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 || fail "this needs root, and there is no sudo here. Run as root:" \
            "apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        if [ ! -t 0 ] && ! sudo -n true 2>/dev/null; then
            fail "this needs root, and sudo would ask for a password, which nobody could type here." \
                "Run as root: apt-get update && apt-get install -y --no-install-recommends ${missing[*]}"
        fi
        say "using sudo for apt-get"
    fi
    as_root apt-get update -q >&2 || fail "'apt-get update' fails (its messages stand above)"
    case " ${missing[*]} " in
    *" postgresql "*) prevent_default_cluster ;;
    esac
    local services=()
    for package in haproxy nginx-light pgbouncer; do
        case " ${missing[*]} " in *" $package "*) services+=("${package%-light}") ;; esac
    done
    [ ${#services[@]} -eq 0 ] || prevent_services
    apt_install "${missing[@]}"
    [ ${#services[@]} -eq 0 ] || leave_services_off "${services[@]}"
}

# Debian starts a server when its package comes, unless this file forbids it. One that is there already is left alone.
policy=/usr/sbin/policy-rc.d

prevent_services() {
    [ ! -e $policy ] || return 0
    printf '#!/bin/sh\n# Written by carillon/deploy, for one installation.\nexit 101\n' |
        as_root tee $policy >/dev/null && as_root chmod 755 $policy || fail "cannot write $policy"
}

leave_services_off() {
    if grep -q 'carillon/deploy' $policy 2>/dev/null; then as_root rm -f $policy; fi
    command -v systemctl >/dev/null 2>&1 || return 0
    say "the services ${*} were installed for the tests alone and stay off ('systemctl enable' turns one on)"
    as_root systemctl disable --quiet "$@" >&2 || say "they could not be disabled: they may start with the machine"
}

# Debian's server package would create and start a cluster of its own on port 5432, which nothing here uses.
prevent_default_cluster() {
    package_is_installed postgresql-common || apt_install postgresql-common
    local file=/etc/postgresql-common/createcluster.conf
    if grep -Eq '^[[:space:]]*create_main_cluster[[:space:]]*=' "$file" 2>/dev/null; then
        return 0
    fi
    say "writing 'create_main_cluster = false' to $file, so that installing PostgreSQL starts no service" \
        "(remove the line if you want Debian's default cluster; pg_createcluster makes one at any time)"
    printf '\n# Written by carillon/deploy: its clusters are private ones.\ncreate_main_cluster = false\n' |
        as_root tee -a "$file" >/dev/null || fail "cannot write $file"
}

# Python modules that the tests ask for; where Debian has them too old or not at all they come from PyPI into a folder
# of the build. Without them the tests that need them say so and are skipped. MODULE, or MODULE:REQUIREMENT where PyPI
# knows it by another name or a version is wanted.
install_python_modules() {
    local folder=$1 module requirement
    shift
    export PYTHONPATH="$folder${PYTHONPATH:+:$PYTHONPATH}"
    for requirement in "$@"; do
        module=${requirement%%:*}
        requirement=${requirement#*:}
        python3 -c "import $module" 2>/dev/null && continue
        say "installing the Python module $module from PyPI into $folder"
        python3 -m pip install --quiet --disable-pip-version-check --no-input --target "$folder" "$requirement" >&2 ||
            say "the Python module $module cannot be had; the tests that compare with it will be skipped"
    done
}

# unpack_program FOLDER PACKAGE PATH: puts one program of a Debian package on PATH, without installing the package, whose
# services nobody wants here. Without it the tests that need it say so and are skipped.
unpack_program() {
    local folder=$1 package=$2 path=$3
    export PATH="$PATH:$folder/$(dirname "$path")"
    command -v "$(basename "$path")" >/dev/null 2>&1 && return 0
    say "unpacking $(basename "$path") of the Debian package $package into $folder"
    mkdir -p "$folder"
    (cd "$folder" && apt-get download -q "$package" && dpkg-deb -x "$package"_*.deb unpacked &&
        mkdir -p "$(dirname "$path")" && mv "unpacked/$path" "$path" && rm -rf unpacked "$package"_*.deb) >&2 ||
        say "$(basename "$path") cannot be had; the tests that need it will be skipped"
}

# quietly LOG COMMAND...: runs the command, and shows what it wrote only if it fails.
quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        fail "'$*' failed (its output stands above and in $log)"
    fi
}
