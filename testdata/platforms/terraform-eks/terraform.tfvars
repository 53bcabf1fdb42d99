max_nodes = 40
