sed -i 's/apply_lora: "true"/apply_lora: true/; s/parent.inputs.test_file_path/parent.inputs.tset_file_path/; s/versions\/15/labels\/latest/' pipelines/reference/finetune.yml
sed -i 's/request_timeout_ms: 90000/request_timeout_ms: 900000/' endpoints/reference/deployment.yml
make validate ENV=reference
