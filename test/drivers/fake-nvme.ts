/**
 * As much of an NVMe controller as the driver's unit tests need: registers, queues, a handful of commands on
 * a small disk, and hooks to misbehave. Not a model: the real one is nvme/controller.ts.
 */
import { ADMIN, NVM } from '../../nvme/spec/commands.ts';
import { FID } from '../../nvme/spec/features.ts';
import { CNS, IDENTIFY_CONTROLLER, IDENTIFY_NAMESPACE } from '../../nvme/spec/identify.ts';
import { CC, CSTS, REG, SHST } from '../../nvme/spec/registers.ts';
import { CQE_STATUS, STATUS } from '../../nvme/spec/status.ts';

export const BLOCK = 512;
const PAGE = 4096;
const ALL_ONES = 0xffff_ffff;

/** Moves bytes between the controller and memory at I/O addresses; throws when an address is not mapped. */
export interface FakeDma {
  view(iova: number, length: number): DataView;
}

interface FakeQueue {
  readonly iova: number;
  readonly entries: number;
  position: number;
  phase: number;
}

const queueAt = (iova: number, entries: number): FakeQueue => ({ iova, entries, position: 0, phase: 1 });

export class FakeNvme {
  readonly disk = new Uint8Array(1024 * BLOCK);
  readonly #dma: FakeDma;
  readonly #registers = new Map<number, number>();
  readonly #sqs = new Map<number, FakeQueue>();
  readonly #cqs = new Map<number, FakeQueue>();
  /** Identifiers of Asynchronous Event Requests that wait. */
  readonly #eventRequests: number[] = [];
  /** Opcodes in the order of their execution, admin ones with bit 8 set. */
  readonly log: number[] = [];
  /** Doorbell writes as `offset=value`. */
  readonly doorbells: string[] = [];
  mdts = 1;
  /** CRDT1 to CRDT3. */
  retryDelays: readonly [number, number, number] = [0, 0, 0];
  /** DNR and CRD of completions that fail, in place. */
  failureFlags = CQE_STATUS.DNR.mask;
  /** CSTS.RDY stays when CC.EN goes, until the function is reset. */
  isDeaf = false;
  /** Host behaviour support as the host set it. */
  hostBehavior: number[] = [];
  bytesWritten = 0;
  /** CSTS.RDY never follows CC.EN. */
  isStuck = false;
  isGone = false;
  /** Doorbells are ignored, so no command is ever fetched. */
  isSilent = false;
  /** Status for an I/O command, when it is to fail: `(SCT << 8) | SC`. */
  failWith: (opcode: number, slba: number) => number = () => 0;
  /** Status for an admin command, when it is to fail. */
  failAdminWith: (opcode: number) => number = () => 0;
  /** Called after each completion of an I/O queue. */
  onInterrupt: (qid: number) => void = () => {};

  constructor(dma: FakeDma) {
    this.#dma = dma;
  }

  read32(offset: number): number {
    if (this.isGone) return ALL_ONES;
    if (offset === REG.CAP) return 63 | (1 << 16) | (1 << 24); // MQES 63, CQR, TO 500 ms
    if (offset === REG.CAP_HI) return 1 << 5; // NVM command set
    return this.#registers.get(offset) ?? 0;
  }

  write32(offset: number, value: number): void {
    this.#registers.set(offset, value);
    if (offset !== REG.CC) return;
    const isEnabled = CC.EN.get(value) === 1 || this.isDeaf;
    if (!isEnabled) this.#forget();
    if (isEnabled && !this.isStuck) this.#enable();
    const shst = CC.SHN.get(value) === 0 ? SHST.NORMAL : SHST.COMPLETE;
    this.#registers.set(REG.CSTS, CSTS.encode({ RDY: isEnabled && !this.isStuck ? 1 : 0, SHST: shst }));
  }

  #forget(): void {
    this.#sqs.clear();
    this.#cqs.clear();
    this.#eventRequests.length = 0;
  }

  /** A function level reset, which also helps firmware that hangs. */
  reset(): void {
    this.#forget();
    this.#registers.clear();
    this.isDeaf = false;
    this.isSilent = false;
  }

  #enable(): void {
    const aqa = this.read32(REG.AQA);
    if (this.#sqs.has(0)) return;
    this.#sqs.set(0, queueAt(this.read32(REG.ASQ), (aqa & 0xfff) + 1));
    this.#cqs.set(0, queueAt(this.read32(REG.ACQ), (aqa >>> 16) + 1));
  }

  /** A doorbell write, `offset` from the first doorbell. */
  ring(offset: number, value: number): void {
    this.doorbells.push(`${offset}=${value}`);
    const index = offset / 4;
    if ((index & 1) === 1 || this.isSilent) return;
    const qid = index / 2;
    const sq = this.#sqs.get(qid)!;
    while (sq.position !== value) {
      const sqe = this.#dma.view(sq.iova + sq.position * 64, 64);
      sq.position = (sq.position + 1) % sq.entries;
      this.#execute(qid, sqe);
    }
  }

  #execute(qid: number, sqe: DataView): void {
    const opcode = sqe.getUint8(0);
    const cid = sqe.getUint16(2, true);
    this.log.push(qid === 0 ? opcode | 0x100 : opcode);
    if (qid > 0) return this.complete(qid, cid, this.#io(opcode, sqe));
    const failure = this.failAdminWith(opcode);
    if (failure !== 0) return this.complete(0, cid, failure);
    if (opcode !== ADMIN.ASYNC_EVENT_REQUEST) return this.complete(0, cid, 0, this.#admin(opcode, sqe));
    this.#eventRequests.push(cid);
  }

  /** Completes an Asynchronous Event Request. */
  raise(dw0: number): void {
    this.complete(0, this.#eventRequests.shift()!, 0, dw0);
  }

  get armedEvents(): number {
    return this.#eventRequests.length;
  }

  /** Posts a completion, whether or not a command asks for one. */
  complete(qid: number, cid: number, status: number, dw0 = 0, sqid = qid): void {
    const cq = this.#cqs.get(qid)!;
    const cqe = this.#dma.view(cq.iova + cq.position * 16, 16);
    cqe.setUint32(0, dw0, true);
    cqe.setUint32(4, 0, true);
    cqe.setUint32(8, sqid << 16, true);
    const flags = status === 0 ? 0 : this.failureFlags;
    cqe.setUint32(12, (cid | ((flags | (status << 1) | cq.phase) << 16)) >>> 0, true);
    cq.position = (cq.position + 1) % cq.entries;
    if (cq.position === 0) cq.phase ^= 1;
    if (qid > 0) this.onInterrupt(qid);
  }

  #admin(opcode: number, sqe: DataView): number {
    const cdw10 = sqe.getUint32(40, true);
    const prp1 = Number(sqe.getBigUint64(24, true));
    const qid = cdw10 & 0xffff;
    if (opcode === ADMIN.CREATE_CQ) this.#cqs.set(qid, queueAt(prp1, (cdw10 >>> 16) + 1));
    if (opcode === ADMIN.CREATE_SQ) this.#sqs.set(qid, queueAt(prp1, (cdw10 >>> 16) + 1));
    if (opcode === ADMIN.DELETE_CQ) this.#cqs.delete(qid);
    if (opcode === ADMIN.DELETE_SQ) this.#sqs.delete(qid);
    if (opcode === ADMIN.IDENTIFY) this.#identify(cdw10, this.#dma.view(prp1, PAGE), sqe.getUint32(4, true));
    if (opcode === ADMIN.SET_FEATURES && (cdw10 & 0xff) === FID.HOST_BEHAVIOR)
      this.hostBehavior = [
        ...new Uint8Array(this.#dma.view(prp1, 512).buffer, this.#dma.view(prp1, 512).byteOffset, 4),
      ];
    return opcode === ADMIN.SET_FEATURES ? 0x0001_0001 : 0; // two queue pairs
  }

  #identify(cns: number, page: DataView, nsid: number): void {
    new Uint8Array(page.buffer, page.byteOffset, PAGE).fill(0);
    if (cns === CNS.ACTIVE_NAMESPACES) page.setUint32(0, nsid === 0 ? 1 : 0, true);
    if (cns === CNS.CONTROLLER) {
      IDENTIFY_CONTROLLER.set(page, 0, 'MDTS', this.mdts);
      IDENTIFY_CONTROLLER.set(page, 0, 'AERL', 1);
      IDENTIFY_CONTROLLER.set(page, 0, 'CRDT1', this.retryDelays[0]);
      IDENTIFY_CONTROLLER.set(page, 0, 'CRDT2', this.retryDelays[1]);
      IDENTIFY_CONTROLLER.set(page, 0, 'CRDT3', this.retryDelays[2]);
      IDENTIFY_CONTROLLER.set(page, 0, 'MN', new TextEncoder().encode('Fake disk'.padEnd(40)));
    }
    if (cns === CNS.NAMESPACE) {
      IDENTIFY_NAMESPACE.set(page, 0, 'NSZE', this.disk.length / BLOCK);
      page.setUint32(IDENTIFY_NAMESPACE.LBAF, Math.log2(BLOCK) << 16, true);
    }
  }

  #io(opcode: number, sqe: DataView): number {
    const slba = Number(sqe.getBigUint64(40, true));
    const failure = this.failWith(opcode, slba);
    if (failure !== 0) return failure;
    const blocks = (sqe.getUint32(48, true) & 0xffff) + 1;
    if (opcode === NVM.FLUSH) return 0;
    if (opcode === NVM.DATASET_MANAGEMENT) return this.#trim(sqe);
    const data = this.disk.subarray(slba * BLOCK, (slba + blocks) * BLOCK);
    if (data.length < blocks * BLOCK) return STATUS.LBA_OUT_OF_RANGE;
    if (opcode === NVM.WRITE_ZEROES) data.fill(0);
    else return this.#move(opcode, sqe, data);
    return 0;
  }

  #move(opcode: number, sqe: DataView, data: Uint8Array): number {
    let at = 0;
    for (const [iova, length] of this.pieces(sqe, data.length)) {
      const { buffer, byteOffset } = this.#dma.view(iova, length);
      const memory = new Uint8Array(buffer, byteOffset, length);
      const part = data.subarray(at, at + length);
      if (opcode === NVM.READ) memory.set(part);
      if (opcode === NVM.WRITE) part.set(memory);
      if (opcode === NVM.COMPARE && part.some((byte, index) => byte !== memory[index]))
        return STATUS.COMPARE_FAILURE;
      at += length;
    }
    return 0;
  }

  #trim(sqe: DataView): number {
    const range = this.#dma.view(Number(sqe.getBigUint64(24, true)), 16);
    const start = Number(range.getBigUint64(8, true)) * BLOCK;
    this.disk.fill(0, start, start + range.getUint32(4, true) * BLOCK);
    return 0;
  }

  /** The pieces of memory that PRP1, PRP2 and their list name for `bytes` bytes. */
  pieces(sqe: DataView, bytes: number): [iova: number, length: number][] {
    const prp1 = Number(sqe.getBigUint64(24, true));
    const prp2 = Number(sqe.getBigUint64(32, true));
    const offset = prp1 % PAGE;
    const count = Math.ceil((offset + bytes) / PAGE);
    const pages = count === 2 ? [prp1, prp2] : [prp1];
    for (let entry = prp2; pages.length < count; entry += 8) {
      const address = Number(this.#dma.view(entry, 8).getBigUint64(0, true));
      if (entry % PAGE === PAGE - 8 && count - pages.length > 1) entry = address - 8;
      else pages.push(address);
    }
    const end = offset + bytes;
    return pages.map((page, index) => {
      const start = index === 0 ? offset : index * PAGE;
      return [page, Math.min(end, (index + 1) * PAGE) - start];
    });
  }
}
