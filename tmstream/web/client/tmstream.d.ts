// Types of tmstream.js, wire protocol 1.

export type Label = string | null;
export type Rejected =
  | "too_far" | "ambiguous" | "too_few_examples" | "no_person" | "too_dark" | "silence" | "not_finite" | "not_connected"
  | (string & {})
  | null;

export interface Result {
  label: Label;
  confidence: number;
  /** 0 to 1, steady enough for a fader. */
  closeness?: number;
  /** Set on the first result when it is none of the above. */
  rejected?: Rejected;
}

export interface Latency { onset_us: number; capture_us: number; embed_us: number; head_us: number; total_us: number }

export interface Prediction {
  type: "prediction"; node: string; t_us: number; end_us: number; seq: number; subject: string | null;
  label: Label; confidence: number; rejected: Rejected;
  results: { label: string; confidence: number; closeness: number }[];
  latency: Latency; phase?: string; spaces?: string[];
}

export type EventKind = "trigger" | "enter" | "hold" | "leave" | "count";

export interface LabelEvent {
  type: "event"; event: EventKind; label: string; t_us: number; onset_us: number; subject: string | null;
  confidence: number; held_s?: number; count?: number; latency?: Latency; simulated?: boolean;
}

export interface Keypoint { name?: string; x: number; y: number; z: number; visibility: number; confidence: number }

export interface Skeleton {
  subject: string | null; id: string | null; space: string; side?: "left" | "right" | null; keypoints: Keypoint[];
  [name: string]: any;
}

export interface Person {
  id: string; subject: string; label: Label; confidence: number; rejected: Rejected;
  results: { label: string; confidence: number; closeness: number }[];
  readonly body: Skeleton | null;
  readonly face: Skeleton | null;
  is(label: string): boolean;
  closeness(label: string): number;
}

export interface Options {
  address?: string;
  /** No words on the canvas; ask `tm.connected` and `tm.problem` instead. */
  quiet?: boolean;
  /** Flip x of bodies, hands and faces, as in a mirror. */
  mirror?: boolean;
  /** How the camera picture lies on the canvas; "stretch" unless told. */
  fit?: "stretch" | "contain" | "cover";
  /** Keys 1 to 9 trigger the labels, for working on a sketch in silence. */
  simulateKeys?: boolean;
  /** A saved `tmstream run --print` to play while no engine is there. */
  take?: string;
  /** Streams the sketch cannot do without ("landmarks" ...): the take plays while an engine lacks or never sends one. */
  needs?: string[];
  /** Play a take again and again (true unless told). */
  loop?: boolean;
  /** Labels to use before the engine has said its own. */
  labels?: string[];
  /** Message types to ask for; everything unless told. */
  streams?: string[];
  maxRateHz?: number;
  /** The p5 instance in instance mode. */
  sketch?: any;
  canvas?: HTMLCanvasElement;
  width?: number;
  height?: number;
  /** `ready` is settled after so long even without an engine: 5000 unless told. */
  timeoutMs?: number;
  /** The viewer token of an engine on another machine. */
  token?: string;
  /** A WebSocket class, for a Node without one. */
  WebSocket?: any;
}

export interface Tmstream {
  /** Settled with this object once `hello` has come, or after `timeoutMs` without. */
  readonly ready: Promise<Tmstream>;
  readonly connected: boolean;
  readonly source: "engine" | "take" | null;
  /** An engine answers, even while a take plays because it sends nothing the sketch needs. */
  readonly engine: boolean;
  readonly problem: string | null;
  readonly labels: string[];
  readonly hello: any;
  readonly status: any;
  readonly label: Label;
  readonly rejected: Rejected;
  readonly results: Result[];
  readonly people: Person[];
  readonly bodies: Skeleton[];
  readonly hands: Skeleton[];
  /** 468 keypoints each, 21 of them by name: nose, mouth_left, left_upper_lid, right_brow ... */
  readonly faces: Skeleton[];
  /**
   * The engine's latest camera picture: a p5.Image with p5, else a canvas; null while there is none. Asking for it the
   * first time subscribes. Needs `share_video: true` in the pipeline's websocket line, and a page on the same machine.
   */
  readonly video: any | null;
  /** Loudness, 0 to 1 over 60 dB. */
  readonly level: number;
  readonly levelDb: number;
  /** Milliseconds from the onset of the last trigger to this sketch. */
  readonly latency: number | null;
  confidence(label: string): number;
  closeness(label: string): number;
  is(label: string): boolean;
  /** How often a sound or a movement was triggered since the last frame. Poses and pictures last: ask `is`. */
  triggered(label: string): number;
  count(label: string): number;
  landmarks(space: string, subject?: string): Keypoint[];
  spectrum(): number[];
  classifyStart(callback: (results: Result[], error?: Error) => void): this;
  classifyStop(): this;
  on(kind: EventKind, label: string, handler: (event: LabelEvent) => void): () => void;
  on(kind: EventKind, handler: (event: LabelEvent) => void): () => void;
  on(kind: "prediction", handler: (prediction: Prediction) => void): () => void;
  on(kind: string, handler: (message: any) => void): () => void;
  off(kind: string, label?: string | ((message: any) => void), handler?: (message: any) => void): this;
  ignore(space: string, seconds: number): this;
  ping(): Promise<number>;
  close(): void;
}

export function connect(...given: (string | number | URL | Options | ((tm: Tmstream) => void) | null | undefined)[]): Tmstream;
export const version: string;
export const protocol: 1;
export const tmstream: { connect: typeof connect; version: string; protocol: 1 };
export default tmstream;

declare global {
  // eslint-disable-next-line no-var
  var tmstream: { connect: typeof connect; version: string; protocol: 1 };
}
