#!/bin/sh
# Puts a pull request's version where its author can look at it.
set -eu
git archive HEAD | curl --fail --silent --header "Authorization: Bearer $TOKEN" --data-binary @- https://preview.harbour.example/upload
