/**
 * The recorded cases as JSON has them: what a real kernel was asked and what it answered. The format is described in
 * the README beside the recordings; numbers from 2^53 up are texts such as "0xffffffffffffffff".
 */

export type Recorded = number | string;

/** One field of a structure: its type, its name, and a number or something that stands for one. */
export type Field = readonly [type: 'u8' | 'u16' | 'u32' | 's32' | 'u64', name: string, value: Recorded];

interface Answer {
  /** The answer belongs to the device model: the step runs, nothing is compared. */
  readonly vary?: boolean;
  readonly ret: number;
}

interface IoctlStep extends Answer {
  readonly do: 'ioctl';
  readonly fd: string;
  readonly request: string;
  readonly code: number;
  readonly arg?: readonly Field[];
  /** Instead of a structure: address 0, or 0x10. */
  readonly pointer?: 'null' | 'bad';
  /** Variables to set from fields of the answer. */
  readonly save?: Readonly<Record<string, string>>;
  readonly out?: Readonly<Record<string, Recorded>>;
}

interface RangeStep extends Answer {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
}

/** Steps that look at or change memory that the case has mapped. */
export type MemoryStep =
  | (Answer & {
      readonly do: 'peek' | 'poke';
      readonly name: string;
      readonly offset: number;
      readonly width: 1 | 2 | 4 | 8;
      readonly value?: Recorded;
      readonly value_read?: Recorded;
    })
  | (RangeStep & { readonly do: 'fill'; readonly value: number })
  | (RangeStep & { readonly do: 'pattern'; readonly seed: number })
  | (RangeStep & { readonly do: 'dump'; readonly bytes_read?: string })
  | (RangeStep & { readonly do: 'fnv'; readonly value_read?: Recorded });

/** One call, or one look at memory, with the answer that the real kernel gave. */
export type Step =
  | IoctlStep
  | (Answer & { readonly do: 'open'; readonly fd: string; readonly path: string })
  | (Answer & { readonly do: 'opennull' | 'badfd' | 'close' | 'eventfd'; readonly fd: string })
  | (Answer & { readonly do: 'evread'; readonly fd: string; readonly value_read?: Recorded })
  | (Answer & { readonly do: 'dup'; readonly fd: string; readonly to: string })
  | (Answer & { readonly do: 'mem'; readonly name: string; readonly size: number; readonly kind?: 'ro' })
  | (Answer & { readonly do: 'munmap'; readonly name: string })
  | (Answer & {
      readonly do: 'mmap';
      readonly name: string;
      readonly fd: string;
      readonly length: number;
      readonly offset: number;
      readonly prot: string;
      readonly kind?: 'private';
    })
  | MemoryStep
  | (Answer & { readonly do: 'wait'; readonly us: number })
  | (Answer & {
      readonly do: 'pread';
      readonly fd: string;
      readonly length: number;
      readonly offset: number;
      readonly bytes_read?: string;
    })
  | (Answer & { readonly do: 'pwrite'; readonly fd: string; readonly bytes: string; readonly offset: number })
  | (Answer & {
      readonly do: 'read';
      readonly fd: string;
      readonly length: number;
      readonly bytes_read?: string;
    })
  | (Answer & {
      readonly do: 'ioctl-int';
      readonly fd: string;
      readonly request: string;
      readonly code: number;
      readonly value: number;
    })
  | (Answer & {
      readonly do: 'ioctl-getfd';
      readonly fd: string;
      readonly request: string;
      readonly code: number;
      readonly text: string;
      readonly to: string;
    });

/** Steps that run one after another; `why` says what they are there to show. */
export interface Case {
  readonly name: string;
  readonly why: string;
  readonly steps: readonly Step[];
}
