# What would reach Azure refuses the placeholders; what stays offline accepts them.
make compute ENV=dev
make deploy ENV=prod
make validate ENV=dev
