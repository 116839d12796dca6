# Whatever is wrong with a file or a value, it is one sentence and an exit code, and nothing is written.
printf 'azure:\n\tworkspace: x\n' > environments/dev.yaml; make render ENV=dev
printf 'azure: &a\n  workspace: *a\n' > environments/dev.yaml; make render ENV=dev
printf '\xff\xfe' > environments/dev.yaml; make render ENV=dev
printf 'azure:\r\n  workspace: team-a\r\n' > environments/dev.yaml; make render ENV=dev
rm -r pipelines/dev && touch pipelines/dev; make render ENV=dev
rm pipelines/dev && make render ENV=dev
echo "not rendered" > pipelines/dev/notes.md; make render ENV=dev; cat pipelines/dev/notes.md
"$VENV/bin/python" -m scripts.render --env 'my env'
"$VENV/bin/python" -m scripts.render --set 'endpoint.name="a\n"' 'model.version=8' 'dataset.splits.test=0.9' 'azure.region=$(id)'
