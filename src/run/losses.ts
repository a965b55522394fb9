import type { Broker } from "../ports/broker.ts";
import { lossText } from "../telemetry/loss-text.ts";
import type { Tally } from "./report.ts";
import type { OnHost } from "./visit.ts";

/** Who is told of the losses of a queue. */
export interface LossesTold {
  readonly queue: string;
  readonly tally: Tally;
  readonly onHost?: OnHost;
}

/** Tells what was lost since this host looked last, and notes it where the other processes of the host see it. */
export async function tellLosses(broker: Broker, { queue, tally, onHost }: LossesTold): Promise<void> {
  for (const loss of await broker.losses()) {
    onHost?.runs.lost(lossText(loss), loss.at);
    tally.listen({ kind: "loss", queue, loss });
  }
}
