export {
  open,
  Memq,
  type CallTo,
  type OpenOptions,
  type PublishManyTo,
  type PublishTo,
  type ResultOf,
  type RunOptions,
  type WorkOptions,
} from "./memq.ts";
export { retryLater, giveUp, pauseQueue } from "./task/outcome.ts";
export { task, type TaskContext } from "./run/task-context.ts";
export { MemqError, type ErrorCode } from "./errors.ts";
export type { AwaitOptions } from "./calls/answer.ts";
export type { Completion, Group, GroupCall, GroupOptions, OnComplete } from "./calls/group.ts";
export type { PublishOptions } from "./publish/draft.ts";
export type { BulkItem, BulkOutcome, BulkPart, PartReport } from "./publish/publisher.ts";
export type { Emission, EmittedTask, EmitOptions, EventParams } from "./publish/events.ts";
export type { BulkReport, BulkSource, OnOutcome } from "./publish/bulk.ts";
export type { CareOptions } from "./run/chronicle.ts";
export type { AttemptResult, OnResult } from "./run/on-result.ts";
export type { QueueReport, RunReport } from "./run/report.ts";
export type { RunEvent, Listener } from "./telemetry/events.ts";
export type { Task, TaskRecord, TaskState, Json } from "./task/task.ts";
export type { Broker, Depth, Page } from "./ports/broker.ts";
export type { TaskEnd } from "./ports/results.ts";
export type { Progress, TaskResult } from "./task/result.ts";
export type { Clock } from "./ports/clock.ts";
