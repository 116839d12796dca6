make render-check
sed -i 's/idle_time_before_scale_down: 120/idle_time_before_scale_down: 900/' values.yaml
make render-check
make render ENV=reference
make render ENV=reference
