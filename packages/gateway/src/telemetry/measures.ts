/** What the gateway tells of its work, once, for Prometheus and OpenTelemetry alike: every label is from a closed list before anybody counts by it. */

export interface Measures {
  /** A request was answered, or was left. `route` as `routeNames` made it; `status` undefined: nobody was there any more. */
  request(method: string | undefined, route: string, status: number | undefined, seconds: number): void;
  /** The target of a resource answered: seconds until the head of its answer, or until it was clear that none comes. */
  target(resource: string, outcome: string, seconds: number): void;
  /** A call of a tool is over. */
  tool(resource: string, tool: string, outcome: string): void;
  /** An exchange of messages is open, such as a stream of events; to be called once when it has ended. */
  stream(resource: string): () => void;
}

/** Counts what it is told. Every label it gets is bounded. */
export interface Recorder {
  request(sample: RequestSample, seconds: number): void;
  target(sample: TargetSample, seconds: number): void;
  tool(sample: ToolSample): void;
  streams(resource: string, change: 1 | -1): void;
}

export interface RequestSample {
  readonly method: string;
  readonly route: string;
  /** 0: nobody was there any more. */
  readonly status: number;
}

export interface TargetSample {
  readonly resource: string;
  readonly outcome: string;
}

export interface ToolSample extends TargetSample {
  readonly tool: string;
}

/** Costs nothing: for a gateway that is asked for no figures. */
export const noMeasures: Measures = {
  request: () => {},
  target: () => {},
  tool: () => {},
  stream: () => () => {},
};

export interface MeasuresOptions {
  readonly recorders: readonly Recorder[];
  /** Tools that rules name are counted under their names from the start; of the others the first so many are: 200 unless told. */
  readonly maxTools?: number;
  /** By resource, the names of tools that its configuration has, patterns left out. */
  readonly tools?: Readonly<Record<string, readonly string[]>>;
}

/** Undefined recorders are a matter of `noMeasures`; these tell each of them. */
export function openMeasures({ recorders, tools = {}, maxTools = 200 }: MeasuresOptions): Measures {
  const label = toolLabels(tools, maxTools);
  return {
    request(method, route, status, seconds) {
      const sample = { method: methodLabel(method), route, status: statusLabel(status) };
      for (const recorder of recorders) recorder.request(sample, seconds);
    },
    target(resource, outcome, seconds) {
      const sample = { resource, outcome: outcomeLabel(outcome) };
      for (const recorder of recorders) recorder.target(sample, seconds);
    },
    tool(resource, tool, outcome) {
      const sample = { resource, tool: label(resource, tool), outcome: outcomeLabel(outcome) };
      for (const recorder of recorders) recorder.tool(sample);
    },
    stream(resource) {
      for (const recorder of recorders) recorder.streams(resource, 1);
      let open = true;
      return () => {
        if (!open) return;
        open = false;
        for (const recorder of recorders) recorder.streams(resource, -1);
      };
    },
  };
}

/**
 * The name a tool is counted under. A client can ask for any name: beyond those of the rules only the first so many of
 * each resource have a series, and everything else is `other`.
 */
export function toolLabels(
  tools: Readonly<Record<string, readonly string[]>>,
  maxTools: number,
): (resource: string, tool: string) => string {
  const seen = new Map(Object.entries(tools).map(([resource, names]) => [resource, new Set(names)]));
  return (resource, tool) => {
    const names = seen.get(resource) ?? new Set();
    seen.set(resource, names);
    if (names.has(tool)) return tool;
    if (names.size >= maxTools || !/^[\x21-\x7e]{1,64}$/.test(tool)) return 'other';
    names.add(tool);
    return tool;
  };
}

/**
 * What a path is counted under: the resources and the endpoints by their own paths, open paths by their prefix, and all
 * that strangers try as `other`.
 */
export function routeNames(known: Iterable<string>, prefixes: readonly string[] = []): (path: string) => string {
  const exact = new Set(known);
  return (path) => {
    if (exact.has(path)) return path;
    if (path.startsWith('/.well-known/')) return '/.well-known/*';
    const prefix = prefixes.find((start) => path.startsWith(start));
    return prefix === undefined ? 'other' : `${prefix}*`;
  };
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);

/** `_OTHER` as the semantic conventions of HTTP have it. */
export function methodLabel(method: string | undefined): string {
  return method !== undefined && methods.has(method) ? method : '_OTHER';
}

/** A target may answer by any number; those beyond 599 are none of HTTP's. */
function statusLabel(status: number | undefined): number {
  return status !== undefined && status >= 100 && status <= 599 ? status : 0;
}

/** Outcomes are our own words, a few dozen of them. What is none is not counted by its name. */
function outcomeLabel(outcome: string): string {
  return /^[a-z_]{1,40}$/.test(outcome) ? outcome : 'other';
}
