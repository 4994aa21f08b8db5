#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes configure and Makefile.in from their sources; not needed in a release tarball.
set -e
cd "$(dirname "$0")"
mkdir -p build-aux
exec autoreconf --force --install --warnings=all
