// One journey at a time: they share two servers and two cores, and some restart the servers.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
