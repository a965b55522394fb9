import { describeError } from "../errors.ts";
import { openSoundParts } from "./configuration.ts";
import { fireSchedules } from "./schedules.ts";
import type { Session } from "./shell.ts";

/** Fires schedules when it is asked to look. */
export interface MinuteWork {
  readonly look: () => Promise<void>;
  /** Resolves when what it does has ended. */
  readonly ended: () => Promise<void>;
}

/** Fires schedules at their minute, whoever runs their tasks; config.ini is read anew each time. `command`: who says it. */
export function minuteWork(session: Session, command: string, queues: readonly string[]): MinuteWork {
  let complaint = "";
  let work: Promise<void> | undefined;
  const fire = async (): Promise<void> => {
    try {
      const { memq } = openSoundParts(session.parsed, session.io);
      await fireSchedules(session, memq, queues).finally(() => memq.close());
      complaint = "";
    } catch (error) {
      const said = describeError(error);
      if (said !== complaint) session.complain(`${command}: ${said}`);
      complaint = said;
    }
  };
  return {
    look: () => (work ??= fire().finally(() => (work = undefined))),
    ended: async () => {
      await work;
    },
  };
}
