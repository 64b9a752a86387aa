#!/bin/sh
# Usage: make_certificates.sh DIRECTORY
# Two authorities; from the first a server's pair (for 127.0.0.1 and localhost), a server's pair for
# another name, a client's pair, one of a client with a SPIFFE id, and pairs of both that have expired;
# from the second a client's pair that the first does not vouch for.
set -eu
cd "$1"

authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" 2>/dev/null
}

pair() { # name, authority, alternative name, days
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
    printf 'subjectAltName=%s\n' "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -days "${4:-2}" \
        -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}

authority ca
authority stranger_ca
pair server ca IP:127.0.0.1,DNS:localhost
pair elsewhere ca DNS:elsewhere.example
pair client ca DNS:client.example
pair spiffe ca URI:spiffe://example.org/ns/shop/sa/agent
pair expired_server ca IP:127.0.0.1,DNS:localhost -1
pair expired_client ca DNS:client.example -1
pair stranger stranger_ca DNS:stranger.example
