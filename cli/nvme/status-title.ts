/**
 * Status codes by the titles that the specification gives them, which nvme-cli (2.3) prints.
 * Not here: what a code means (nvme/spec/status.ts).
 */
import { statusTitle } from '../../nvme/rejection.ts';
import { type StatusName, statusName } from '../../nvme/spec/status.ts';

/** Titles that do not follow from our names. */
const OTHERS: Readonly<Partial<Record<StatusName, string>>> = {
  SUCCESS: 'Successful Completion',
  INVALID_OPCODE: 'Invalid Command Opcode',
  INVALID_FIELD: 'Invalid Field in Command',
  ABORTED_POWER_LOSS: 'Commands Aborted due to Power Loss Notification',
  ABORTED_SQ_DELETION: 'Command Aborted due to SQ Deletion',
  ABORTED_FAILED_FUSED: 'Command Aborted due to Failed Fused Command',
  ABORTED_MISSING_FUSED: 'Command Aborted due to Missing Fused Command',
  INVALID_SGL_DESCRIPTOR_COUNT: 'Invalid Number of SGL Descriptors',
  INVALID_CMB_USE: 'Invalid Use of Controller Memory Buffer',
  HOST_IDENTIFIER_INCONSISTENT: 'Host Identifier Inconsistent Format',
  KEEP_ALIVE_EXPIRED: 'Keep Alive Timer Expired',
  KEEP_ALIVE_INVALID: 'Keep Alive Timeout Invalid',
  ABORTED_PREEMPT: 'Command Aborted due to Preempt and Abort',
  SGL_GRANULARITY_INVALID: 'SGL Data Block Granularity Invalid',
  NOT_SUPPORTED_FOR_QUEUE_IN_CMB: 'Command Not Supported for Queue in CMB',
  NAMESPACE_WRITE_PROTECTED: 'Namespace is Write Protected',
  PROHIBITED_BY_LOCKDOWN: 'Command Prohibited by Command and Feature Lockdown',
  ADMIN_MEDIA_NOT_READY: 'Admin Command Media Not Ready',
  ABORT_LIMIT_EXCEEDED: 'Abort Command Limit Exceeded',
  AER_LIMIT_EXCEEDED: 'Asynchronous Event Request Limit Exceeded',
  FIRMWARE_NEEDS_CONVENTIONAL_RESET: 'Firmware Activation Requires Conventional Reset',
  FEATURE_NOT_SAVEABLE: 'Feature Identifier Not Saveable',
  FIRMWARE_NEEDS_SUBSYSTEM_RESET: 'Firmware Activation Requires NVM Subsystem Reset',
  FIRMWARE_NEEDS_CONTROLLER_RESET: 'Firmware Activation Requires Controller Level Reset',
  FIRMWARE_MAXIMUM_TIME_VIOLATION: 'Firmware Activation Requires Maximum Time Violation',
  SELF_TEST_IN_PROGRESS: 'Device Self-test In Progress',
  INVALID_SECONDARY_STATE: 'Invalid Secondary Controller State',
  INVALID_RESOURCE_COUNT: 'Invalid Number of Controller Resources',
  SANITIZE_PROHIBITED_PMR: 'Sanitize Prohibited While Persistent Memory Region is Enabled',
  ANA_GROUP_INVALID: 'ANA Group Identifier Invalid',
  ATTACHMENT_LIMIT_EXCEEDED: 'Namespace Attachment Limit Exceeded',
  PROHIBITION_NOT_SUPPORTED: 'Prohibition of Command Execution Not Supported',
  WRITE_TO_READ_ONLY_RANGE: 'Attempted Write to Read Only Range',
  ZONE_BOUNDARY_ERROR: 'Zoned Boundary Error',
  GUARD_CHECK_ERROR: 'End-to-end Guard Check Error',
  APPLICATION_TAG_CHECK_ERROR: 'End-to-end Application Tag Check Error',
  REFERENCE_TAG_CHECK_ERROR: 'End-to-end Reference Tag Check Error',
  DEALLOCATED_OR_UNWRITTEN_BLOCK: 'Deallocated or Unwritten Logical Block',
  STORAGE_TAG_CHECK_ERROR: 'End-to-End Storage Tag Check Error',
  ANA_PERSISTENT_LOSS: 'Asymmetric Access Persistent Loss',
  ANA_INACCESSIBLE: 'Asymmetric Access Inaccessible',
  ANA_TRANSITION: 'Asymmetric Access Transition',
  ABORTED_BY_HOST: 'Command Aborted By Host',
};

/** The title of an 11-bit code, or its number as in `status 0x1c3`. */
export const specifiedTitle = (code: number): string =>
  OTHERS[statusName(code) as StatusName] ?? statusTitle(code);
