/** The figures as OpenTelemetry counts them: the names of its semantic conventions where it has one, `gatehouse.` else. */
import type { Attributes, Meter } from '@opentelemetry/api';
import type { Recorder } from './measures.ts';
import { secondsBounds } from './registry.ts';

export function openTelemetryRecorder(meter: Meter, scheme: string): Recorder {
  const advice = { explicitBucketBoundaries: secondsBounds };
  const requests = meter.createHistogram('http.server.request.duration', {
    description: 'Duration of HTTP server requests.',
    unit: 's',
    advice,
  });
  const targets = meter.createHistogram('gatehouse.target.duration', {
    description: 'Exchanges with the target of a resource, until the head of its answer.',
    unit: 's',
    advice,
  });
  const tools = meter.createCounter('gatehouse.tool.calls', {
    description: 'Calls of tools by outcome.',
    unit: '{call}',
  });
  const streams = meter.createUpDownCounter('gatehouse.streams', {
    description: 'Streams of events that are open now.',
    unit: '{stream}',
  });
  return {
    request({ method, route, status }, seconds) {
      const attributes: Attributes = { 'http.request.method': method, 'url.scheme': scheme };
      // A route is one of ours, or there is none.
      if (route !== 'other') attributes['http.route'] = route;
      if (status > 0) attributes['http.response.status_code'] = status;
      if (status === 0 || status >= 500) attributes['error.type'] = status === 0 ? 'cut' : String(status);
      requests.record(seconds, attributes);
    },
    target({ resource, outcome }, seconds) {
      targets.record(seconds, { 'gatehouse.resource': resource, 'gatehouse.outcome': outcome });
    },
    tool({ resource, tool, outcome }) {
      tools.add(1, { 'gatehouse.resource': resource, 'gen_ai.tool.name': tool, 'gatehouse.outcome': outcome });
    },
    streams(resource, change) {
      streams.add(change, { 'gatehouse.resource': resource });
    },
  };
}
