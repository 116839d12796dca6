# Each step says which one has to come before it.
for step in job completed model-version; do "$VENV/bin/python" -m scripts.state --env dev --folder .runs/dev/azure $step; done
"$VENV/bin/python" -m scripts.state --env dev --folder .runs/dev/azure data-version
"$VENV/bin/python" -m scripts.invoke --env dev --folder .runs/dev/azure
