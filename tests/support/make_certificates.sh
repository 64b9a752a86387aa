#!/bin/sh
# Usage: make_certificates.sh DIRECTORY
# Two authorities; from the first a server's pair (for 127.0.0.1 and localhost), a server's pair for
# another name, a client's pair, one of a client with a SPIFFE id, and pairs of both that have expired;
# from the second a client's pair that the first does not vouch for.
set -eu
cd "$1"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

request() { # name
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=$1" -keyout "$1.key" -out "$scratch/$1.csr" 2>/dev/null
}

pair() { # name, authority, alternative name
    request "$1"
    printf 'subjectAltName=%s\n' "$3" >"$scratch/$1.ext"
    openssl x509 -req -in "$scratch/$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -CAserial "$scratch/$2.srl" -days 2 \
        -extfile "$scratch/$1.ext" -out "$1.pem" 2>/dev/null
}

# Dates of the past are `openssl ca`'s alone in every version: 3.5 takes no negative -days any more.
expired_pair() { # name, authority, alternative name
    request "$1"
    : >"$scratch/$1.index"
    cat >"$scratch/$1.cnf" <<EOF
[ca]
default_ca = authority
[authority]
database = $scratch/$1.index
new_certs_dir = $scratch
default_md = sha256
rand_serial = yes
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = $3
EOF
    openssl ca -batch -notext -config "$scratch/$1.cnf" -cert "$2.pem" -keyfile "$2.key" -in "$scratch/$1.csr" \
        -startdate 20200101000000Z -enddate 20200102000000Z -out "$1.pem" 2>/dev/null
}

authority ca
authority stranger_ca
pair server ca IP:127.0.0.1,DNS:localhost
pair elsewhere ca DNS:elsewhere.example
pair client ca DNS:client.example
pair spiffe ca URI:spiffe://example.org/ns/shop/sa/agent
expired_pair expired_server ca IP:127.0.0.1,DNS:localhost
expired_pair expired_client ca DNS:client.example
pair stranger stranger_ca DNS:stranger.example
