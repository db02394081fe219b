#!/usr/bin/env bash
# Make a signed link in a shell script, with base64 and sha256sum:
#
#     SSO_SECRET=… ./sender.sh https://app.example john 'John Smith' john@example.com \
#         groups=members redirect=/members/
#
# The secret comes by the environment: an argument would stand in the list of processes.
set -euo pipefail

# Percent-encode each byte of a text that RFC 3986 does not call unreserved.
encode() {
    local LC_ALL=C text=$1 byte i
    for ((i = 0; i < ${#text}; i++)); do
        byte=${text:i:1}
        case $byte in
            [A-Za-z0-9._~-]) printf %s "$byte" ;;
            *) printf %s "$byte" | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F | sed 's/../%&/g' ;;
        esac
    done
}

# The base64 of the inner text, in one line.
query() { printf %s "$1" | base64 | tr -d '\n'; }

# The SHA-256 of the base64 followed by the secret.
hash_of() { printf %s "$1$SSO_SECRET" | sha256sum | cut -d ' ' -f 1; }

signed_link() { # BASE INNER
    local text
    text=$(query "$2")
    printf '%s/sso.php?mode=login&query=%s&hash=%s\n' "$1" "$(encode "$text")" "$(hash_of "$text")"
}

main() {
    if (($# < 4)) || [[ -z ${SSO_SECRET:-} ]]; then
        echo "usage: SSO_SECRET=… sender.sh BASE USER NAME EMAIL [KEY=VALUE …]" >&2
        exit 2
    fi
    local base=$1 inner pair when more=''
    when=$(date +%s)
    inner="username=$(encode "$2")&name=$(encode "$3")&email=$(encode "$4")"
    for pair in "${@:5}"; do
        case $pair in
            t=*) when=${pair#t=} ;;
            *) more+="&$(encode "${pair%%=*}")=$(encode "${pair#*=}")" ;;
        esac
    done
    signed_link "$base" "$inner&t=$when$more"
}

# Sourced, this file only gives its functions.
[[ ${BASH_SOURCE[0]} != "$0" ]] || main "$@"
