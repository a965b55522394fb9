import { brokerContract } from "./broker-contract.ts";
import { fakeMemcachedHarness, memcachedHarness } from "./memcached.harness.ts";

brokerContract(fakeMemcachedHarness);
brokerContract(memcachedHarness);
