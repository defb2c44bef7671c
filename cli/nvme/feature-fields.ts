/**
 * The fields of features as `nvme get-feature -H` of nvme-cli (2.3) prints them.
 * Not here: features that are lists (LBA ranges, power transitions), whose data are shown as bytes.
 */
import {
  ARBITRATION,
  ASYNC_EVENT_CONFIG,
  ENDURANCE_GROUP_EVENT,
  ERROR_RECOVERY,
  FID,
  HOST_BEHAVIOR,
  HOST_MEMORY_ATTRIBUTES,
  HOST_MEMORY_BUFFER,
  INTERRUPT_COALESCING,
  INTERRUPT_VECTOR,
  LBA_STATUS_INTERVAL,
  NUMBER_OF_QUEUES,
  POWER_MANAGEMENT,
  RESERVATION_NOTIFICATION,
  SOFTWARE_PROGRESS,
  TEMPERATURE_THRESHOLD,
  THERMAL_MANAGEMENT,
  TIMESTAMP,
  TIMESTAMP_ATTRIBUTES,
  WRITE_PROTECTION,
} from '../../nvme/spec/features.ts';
import { celsius, KELVIN, wide } from './fields.ts';

type FieldLines = (value: number, data: DataView) => readonly string[];

/** AB, log2 of the commands in a burst, that means no limit. */
const NO_LIMIT = 7;
const COALESCING_UNIT_US = 100;
const RECOVERY_UNIT_MS = 100;
const SENSORS = 8;
const WORKLOADS = [
  'No Workload',
  'Extended Idle Period with a Burst of Random Writes',
  'Heavy Sequential Writes',
];
const THRESHOLDS = ['Over Temperature Threshold', 'Under Temperature Threshold'];
const PROTECTIONS: Readonly<Record<number, string>> = {
  [WRITE_PROTECTION.NONE]: 'No Write Protect',
  [WRITE_PROTECTION.PROTECTED]: 'Write Protect',
  [WRITE_PROTECTION.UNTIL_POWER_CYCLE]: 'Write Protect Until Power Cycle',
  [WRITE_PROTECTION.PERMANENT]: 'Permanent Write Protect',
};

const truth = (bit: number): string => (bit === 0 ? 'False' : 'True');
const enabled = (bit: number): string => (bit === 0 ? 'Disabled' : 'Enabled');
const numbered = (value: number, names: Readonly<Record<number, string>>): string =>
  `${value} - ${names[value] ?? 'Reserved'}`;

function arbitration(value: number): readonly string[] {
  const { AB, LPW, MPW, HPW } = ARBITRATION.decode(value);
  return [
    `High Priority Weight   (HPW): ${HPW + 1}`,
    `Medium Priority Weight (MPW): ${MPW + 1}`,
    `Low Priority Weight    (LPW): ${LPW + 1}`,
    `Arbitration Burst       (AB): ${AB === NO_LIMIT ? 'No limit' : 1 << AB}`,
  ];
}

function temperatureThreshold(value: number): readonly string[] {
  const { TMPTH, TMPSEL, THSEL } = TEMPERATURE_THRESHOLD.decode(value);
  const isSensor = TMPSEL > 0 && TMPSEL <= SENSORS;
  const of = TMPSEL === 0 ? 'Composite Temperature' : isSensor ? `Temperature Sensor ${TMPSEL}` : 'Reserved';
  return [
    `Threshold Type Select         (THSEL): ${numbered(THSEL, THRESHOLDS)}`,
    `Threshold Temperature Select (TMPSEL): ${TMPSEL} - ${of}`,
    `Temperature Threshold         (TMPTH): ${celsius(TMPTH)}`,
  ];
}

function asyncEvents(value: number): readonly string[] {
  const { SMART, NSAN, FAN, TLN, ANACN, PLEAN, LSIAN, EGEAN, DLPCN } = ASYNC_EVENT_CONFIG.decode(value);
  const events: readonly (readonly [string, number])[] = [
    ['Discovery Log Page Change Notices', DLPCN],
    ['Endurance Group Event Aggregate Log Change Notices', EGEAN],
    ['LBA Status Information Notices', LSIAN],
    ['Predictable Latency Event Aggregate Log Change Notices', PLEAN],
    ['Asymmetric Namespace Access Change Notices', ANACN],
    ['Telemetry Log Notices', TLN],
    ['Firmware Activation Notices', FAN],
    ['Namespace Attribute Notices', NSAN],
    ['SMART / Health Critical Warnings', SMART],
  ];
  return events.map(
    ([name, bits]) => `${name.padEnd(58)}: ${bits === 0 ? 'Do not send' : 'Send'} async event`,
  );
}

function hostMemory(value: number, data: DataView): readonly string[] {
  const { HSIZE, HMDLAL, HMDLAU, HMDLEC } = HOST_MEMORY_ATTRIBUTES.decode(data, 0);
  return [
    `Enable Host Memory (EHM): ${enabled(HOST_MEMORY_BUFFER.EHM.get(value))}`,
    `Host Memory Descriptor List Entry Count (HMDLEC): ${HMDLEC}`,
    `Host Memory Descriptor List Address     (HMDLAU): 0x${HMDLAU.toString(16)}`,
    `Host Memory Descriptor List Address     (HMDLAL): 0x${HMDLAL.toString(16)}`,
    `Host Memory Buffer Size                  (HSIZE): ${HSIZE}`,
  ];
}

/** `Fri Nov 27 16:57:53 2026 UTC` */
function date(milliseconds: number): string {
  const [day, number, month, year, time] = new Date(milliseconds).toUTCString().replace(',', '').split(' ');
  return `${day} ${month} ${String(Number(number)).padStart(2)} ${time} ${year} UTC`;
}

function timestamp(_: number, data: DataView): readonly string[] {
  const { MILLISECONDS, ATTRIBUTES } = TIMESTAMP.decode(data, 0);
  const { SYNCH, ORIGIN } = TIMESTAMP_ATTRIBUTES.decode(ATTRIBUTES);
  const since_ms = Number(wide(MILLISECONDS));
  return [
    `The timestamp is : ${since_ms} (${date(since_ms)})`,
    ORIGIN === 0 ? 'It began at 0 with the last reset.' : 'The host has set it.',
    SYNCH === 0 ? 'It has counted without a pause.' : 'It may have paused.',
  ];
}

function thermalManagement(value: number): readonly string[] {
  const { TMT1, TMT2 } = THERMAL_MANAGEMENT.decode(value);
  const line = (level: number, kelvin: number) =>
    `Thermal Management Temperature ${level} (TMT${level}) : ${kelvin} Kelvin (${kelvin - KELVIN}°C)`;
  return [line(1, TMT1), line(2, TMT2)];
}

function reservationNotification(value: number): readonly string[] {
  const { REGPRE, RESREL, RESPRE } = RESERVATION_NOTIFICATION.decode(value);
  return [
    `Mask Reservation Preempted Notification  (RESPRE): ${truth(RESPRE)}`,
    `Mask Reservation Released Notification   (RESREL): ${truth(RESREL)}`,
    `Mask Registration Preempted Notification (REGPRE): ${truth(REGPRE)}`,
  ];
}

/** Lines for the fields of a feature, by FID; of the value in DW0, or of the data. */
export const FIELDS: Readonly<Record<number, FieldLines>> = {
  [FID.ARBITRATION]: arbitration,
  [FID.POWER_MANAGEMENT]: (value) => [
    `Workload Hint (WH): ${numbered(POWER_MANAGEMENT.WH.get(value), WORKLOADS)}`,
    `Power State   (PS): ${POWER_MANAGEMENT.PS.get(value)}`,
  ],
  [FID.TEMPERATURE_THRESHOLD]: temperatureThreshold,
  [FID.ERROR_RECOVERY]: (value) => [
    `Deallocated or Unwritten Logical Block Error Enable (DULBE): ${enabled(ERROR_RECOVERY.DULBE.get(value))}`,
    `Time Limited Error Recovery                          (TLER): ${ERROR_RECOVERY.TLER.get(value) * RECOVERY_UNIT_MS} ms`,
  ],
  [FID.VOLATILE_WRITE_CACHE]: (value) => [`Volatile Write Cache Enable (WCE): ${enabled(value & 1)}`],
  [FID.NUMBER_OF_QUEUES]: (value) => [
    `Number of IO Completion Queues Allocated (NCQA): ${NUMBER_OF_QUEUES.NCQR.get(value) + 1}`,
    `Number of IO Submission Queues Allocated (NSQA): ${NUMBER_OF_QUEUES.NSQR.get(value) + 1}`,
  ],
  [FID.INTERRUPT_COALESCING]: (value) => [
    `Aggregation Time     (TIME): ${INTERRUPT_COALESCING.TIME.get(value) * COALESCING_UNIT_US} usec`,
    `Aggregation Threshold (THR): ${INTERRUPT_COALESCING.THR.get(value) + 1}`,
  ],
  [FID.INTERRUPT_VECTOR]: (value) => [
    `Coalescing Disable (CD): ${truth(INTERRUPT_VECTOR.CD.get(value))}`,
    `Interrupt Vector   (IV): ${INTERRUPT_VECTOR.IV.get(value)}`,
  ],
  [FID.WRITE_ATOMICITY]: (value) => [`Disable Normal (DN): ${truth(value & 1)}`],
  [FID.ASYNC_EVENT]: asyncEvents,
  [FID.HOST_MEMORY_BUFFER]: hostMemory,
  [FID.TIMESTAMP]: timestamp,
  [FID.KEEP_ALIVE]: (value) => [`Keep Alive Timeout (KATO) in milliseconds: ${value}`],
  [FID.THERMAL_MANAGEMENT]: thermalManagement,
  [FID.NON_OPERATIONAL_POWER]: (value) => [
    `Non-Operational Power State Permissive Mode Enable (NOPPME): ${truth(value & 1)}`,
  ],
  [FID.LBA_STATUS_INTERVAL]: (value) => [
    `LBA Status Information Poll Interval (LSIPI)  : ${LBA_STATUS_INTERVAL.LSIPI.get(value)}`,
    `LBA Status Information Report Interval (LSIRI): ${LBA_STATUS_INTERVAL.LSIRI.get(value)}`,
  ],
  [FID.HOST_BEHAVIOR]: (_, data) => [`Host Behavior Support: ${truth(HOST_BEHAVIOR.decode(data, 0).ACRE)}`],
  [FID.SANITIZE_CONFIG]: (value) => [`No-Deallocate Response Mode (NODRM) : ${value & 1}`],
  [FID.ENDURANCE_GROUP_EVENT]: (value) => [
    `Endurance Group Identifier (ENDGID): ${ENDURANCE_GROUP_EVENT.ENDGID.get(value)}`,
    `Endurance Group Critical Warnings  : ${ENDURANCE_GROUP_EVENT.EGWARN.get(value)}`,
  ],
  [FID.COMMAND_SET_PROFILE]: (value) => [`I/O Command Set Profile: ${truth(value & 1)}`],
  [FID.SOFTWARE_PROGRESS]: (value) => [
    `Pre-boot Software Load Count (PBSLC): ${SOFTWARE_PROGRESS.PBSLC.get(value)}`,
  ],
  [FID.HOST_IDENTIFIER]: (_, data) => [`Host Identifier (HOSTID):  ${data.getBigUint64(0, true)}`],
  [FID.RESERVATION_NOTIFICATION]: reservationNotification,
  [FID.RESERVATION_PERSISTENCE]: (value) => [`Persist Through Power Loss (PTPL): ${truth(value & 1)}`],
  [FID.NAMESPACE_WRITE_PROTECTION]: (value) => [
    `Namespace Write Protect: ${PROTECTIONS[value] ?? 'Reserved'}`,
  ],
};
