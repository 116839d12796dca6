sed -i 's/num_train_epochs: 3/num_train_epoch: 3/' values.yaml
make render ENV=reference
sed -i 's/num_train_epoch: 3/num_train_epochs: three/' values.yaml
make render ENV=reference
sed -i 's/num_train_epochs: three/num_train_epochs: 3/; s/auth_mode: key/auth_mode: keys/; s/region: eastus/regoin: eastus/' values.yaml
make validate ENV=reference
printf 'model:\n  version: 15\n' > environments/reference.yaml
make render ENV=reference SET="azure.region=eastus"
