import { brokerContract } from "../../../contract/broker-contract.ts";
import { embeddedHarness } from "../../../contract/embedded.harness.ts";

brokerContract(embeddedHarness);
