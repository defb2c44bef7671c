/** `nvme smart-log` and `nvme error-log` in nvme-cli's layout (2.3). */
import { NSID_BROADCAST } from '../../nvme/spec/commands.ts';
import { ERROR_LOG_ENTRY, SMART_LOG } from '../../nvme/spec/logs.ts';
import { statusSentence } from '../../nvme/spec/status.ts';
import { alternateHex, celsius, wide } from './fields.ts';
import { specifiedTitle } from './status-title.ts';

/** A data unit is 1000 blocks of 512 bytes. */
const UNIT_BYTES = 512_000n;

/** `24 (12.29 MB)`. */
function dataUnits(bytes: Uint8Array): string {
  const units = wide(bytes);
  return `${units} (${decimalSize(Number(units * UNIT_BYTES))})`;
}

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'] as const;

/** Bytes with the largest prefix that leaves at least one: `12.29 MB`. */
export function decimalSize(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(PREFIXES.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(2)} ${PREFIXES[power]}B`;
}

/** `view` is the log page; `device` such as `nvme0`; `nsid` is whose log it is, FFFFFFFFh the controller's. */
export function smartLog(view: DataView, device: string, nsid = NSID_BROADCAST): string[] {
  const log = SMART_LOG.decode(view, 0);
  const sensors = [1, 2, 3, 4, 5, 6, 7, 8] as const;
  const lines: readonly (readonly [string, number, string | number | bigint])[] = [
    ['critical_warning', 3, alternateHex(log.CRITICAL_WARNING)],
    ['temperature', 4, celsius(log.TEMPERATURE)],
    ['available_spare', 4, `${log.AVAILABLE_SPARE}%`],
    ['available_spare_threshold', 2, `${log.SPARE_THRESHOLD}%`],
    ['percentage_used', 4, `${log.PERCENTAGE_USED}%`],
    ['endurance group critical warning summary', 0, alternateHex(log.ENDURANCE_GROUP_WARNING)],
    ['Data Units Read', 4, dataUnits(log.DATA_UNITS_READ)],
    ['Data Units Written', 3, dataUnits(log.DATA_UNITS_WRITTEN)],
    ['host_read_commands', 3, wide(log.HOST_READS)],
    ['host_write_commands', 3, wide(log.HOST_WRITES)],
    ['controller_busy_time', 3, wide(log.BUSY_TIME)],
    ['power_cycles', 4, wide(log.POWER_CYCLES)],
    ['power_on_hours', 4, wide(log.POWER_ON_HOURS)],
    ['unsafe_shutdowns', 3, wide(log.UNSAFE_SHUTDOWNS)],
    ['media_errors', 4, wide(log.MEDIA_ERRORS)],
    ['num_err_log_entries', 3, wide(log.ERROR_LOG_ENTRIES)],
    ['Warning Temperature Time', 2, log.WARNING_TEMPERATURE_TIME],
    ['Critical Composite Temperature Time', 1, log.CRITICAL_TEMPERATURE_TIME],
    ...sensors.flatMap((sensor) => {
      const kelvin = log[`SENSOR${sensor}`];
      return kelvin === 0 ? [] : [[`Temperature Sensor ${sensor}           `, 0, celsius(kelvin)] as const];
    }),
    ['Thermal Management T1 Trans Count', 1, log.TMT1_TRANSITIONS],
    ['Thermal Management T2 Trans Count', 1, log.TMT2_TRANSITIONS],
    ['Thermal Management T1 Total Time', 1, log.TMT1_TIME],
    ['Thermal Management T2 Total Time', 1, log.TMT2_TIME],
  ];
  return [
    `Smart Log for NVME device:${device} namespace-id:${nsid.toString(16)}`,
    ...lines.map(([label, tabs, value]) => `${label}${'\t'.repeat(tabs)}: ${value}`),
  ];
}

const RULE = '.................';
const NO_TRANSPORT = 'The transport type is not indicated or the error is not transport related.';

/** `view` holds `entries` entries of the log page. */
export function errorLog(view: DataView, entries: number, device: string): string[] {
  const lines = Array.from({ length: entries }, (_, index) => errorEntry(view, index)).flat();
  return [`Error Log Entries for device:${device} entries:${entries}`, RULE, ...lines];
}

function errorEntry(view: DataView, index: number): string[] {
  const entry = ERROR_LOG_ENTRY.decode(view, index * ERROR_LOG_ENTRY.SIZE);
  const status = entry.STATUS >>> 1;
  const code = status & 0x7ff;
  return [
    ` Entry[${String(index).padStart(2)}]   `,
    RULE,
    `error_count\t: ${entry.ERROR_COUNT}`,
    `sqid\t\t: ${entry.SQID}`,
    `cmdid\t\t: ${alternateHex(entry.CID)}`,
    `status_field\t: ${alternateHex(status)}(${specifiedTitle(code)}: ${statusSentence(code)})`,
    `phase_tag\t: ${entry.STATUS & 1}`,
    `parm_err_loc\t: ${alternateHex(entry.PARAMETER_LOCATION)}`,
    `lba\t\t: ${alternateHex(entry.LBA)}`,
    `nsid\t\t: ${alternateHex(entry.NSID)}`,
    `vs\t\t: ${entry.VENDOR_LOG}`,
    `trtype\t\t: ${entry.TRTYPE === 0 ? NO_TRANSPORT : entry.TRTYPE}`,
    `cs\t\t: ${alternateHex(entry.COMMAND_SPECIFIC)}`,
    `trtype_spec_info: ${alternateHex(entry.TRANSPORT_SPECIFIC)}`,
    RULE,
  ];
}
