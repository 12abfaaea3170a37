#!/bin/sh
# Tells the deployment service that main has moved; the token is a masked, protected variable of the pipeline.
set -eu
curl --fail --silent --header "Authorization: Bearer $DEPLOY_TOKEN" --request POST "https://deploy.harbour.example/$HARBOUR_ENV"
