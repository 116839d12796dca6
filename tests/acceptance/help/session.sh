make
make nonsense
make validate ENV=prd
make data BACKEND=aws
