/** The entry `@mcp-gatehouse/auth/audit`: the catalogue of events, sinks and counters for whoever mounts the library. */

export type { AuditEvent, AuditSink } from './audit-event.ts';
export {
  type AuditFindings,
  type AuditQuery,
  type AuditRecords,
  auditKinds,
  type RecordSinkOptions,
  readAudit,
  recordSink,
  type StoredAuditEvent,
} from './audit-records.ts';
export type { Counters, EventCount, SinkCount } from './counters.ts';
export type { LossReason } from './delivery.ts';
export {
  type AuditOutcome,
  describeEvent,
  type EventDescription,
  type EventLevel,
  type EventName,
  events,
} from './events.ts';
export { prometheusContentType, prometheusText } from './prometheus.ts';
export { functionSink, logSink } from './sinks.ts';
export { type AuditTrail, type AuditTrailOptions, auditTrail } from './trail.ts';
