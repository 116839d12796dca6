make render-check
sed -i 's/idle_time_before_scale_down: 120/idle_time_before_scale_down: 900/' values.yaml
make render-check
make validate ENV=reference
# Whatever runs the YAML refuses one that is older than the values, and what SET would change; deleting goes by the YAML.
make data ENV=demo SET=dataset.percent=50
for target in compute finetune register deploy invoke; do make $target ENV=demo; done
make finetune ENV=demo SET="finetune.learning_rate=0.5 compute.max_instances=2"
make undeploy ENV=demo SET=endpoint.name=other
make render ENV=reference
make render ENV=reference
make local-down
