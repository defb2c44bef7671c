/**
 * The driver: from a PCI address to namespaces that can be read and written, and back to a silent device.
 * Bring-up and shutdown follow NVMe Base 2.1 §3.5.1 and §3.6.1; user space drives the device through VFIO and
 * iommufd.
 * Not here: registers (controller.ts), admin commands (admin-queue.ts), I/O (queue-pair.ts, block-device.ts), what is
 * done when commands do not complete (recovery.ts).
 */

import { ASYNC_EVENT_CONFIG, FEATURE_SELECT, FID } from '../../nvme/spec/features.ts';
import { CNS, CSI } from '../../nvme/spec/identify.ts';
import { DOORBELL_BASE } from '../../nvme/spec/registers.ts';
import type { Archive } from '../../support/archive.ts';
import { alignUp, hex, PAGE_SIZE } from '../../support/numbers.ts';
import type { Kernel, Mapping } from '../../vfio/uapi/kernel.ts';
import { VFIO_PCI_BAR0_REGION_INDEX } from '../../vfio/uapi/vfio.ts';
import { VfioDevice } from '../vfio/device.ts';
import { type DmaBuffer, DmaSpace } from '../vfio/dma.ts';
import { Interrupts, vectorsOf } from '../vfio/interrupts.ts';
import { firstNvme } from '../vfio/sysfs.ts';
import { AdminQueue, type FeatureValue } from './admin-queue.ts';
import { BlockDevice } from './block-device.ts';
import { describeNamespace, selectCommandSets } from './command-sets.ts';
import { Controller } from './controller.ts';
import { listenForEvents } from './events.ts';
import { HostMemory } from './host-memory.ts';
import { type ControllerInfo, controllerInfo } from './identify.ts';
import { IoQueues } from './io-queues.ts';
import { type IoQueueOptions, type NvmeOptions, type NvmeSettings, settingsOf } from './options.ts';
import type { QueuePair } from './queue-pair.ts';
import { Recovery } from './recovery.ts';
import { ShadowDoorbells } from './shadow-doorbells.ts';
import { SharedIo } from './shared-io.ts';
import { ControllerError } from './status.ts';

export class NvmeDriver {
  readonly bdf: string;
  /** The address space that the device is attached to. */
  readonly space: DmaSpace;
  /** The PCI function behind the controller. */
  readonly device: VfioDevice;
  /** The doorbell registers, from DOORBELL_BASE on. */
  readonly doorbells: Mapping;
  readonly #kernel: Kernel;
  readonly #settings: NvmeSettings;
  readonly #controller: Controller;
  readonly #buffers: DmaBuffer[] = [];
  readonly #admin: AdminQueue;
  readonly #ioQueues: IoQueues;
  readonly #recovery: Recovery;
  readonly #namespaces: BlockDevice[] = [];
  #info: ControllerInfo | null = null;
  /** Command sets that can be used, a bit for each CSI. */
  #commandSets = 1 << CSI.NVM;
  #interrupts: Interrupts | null = null;
  #hostMemory: HostMemory | null = null;
  #shared: SharedIo | null = null;
  #isClosed = false;

  /**
   * Takes the controller over and brings it up. Rejects with RangeError for an option that cannot be, and with SysError,
   * ControllerError or NvmeError; the device is then closed again.
   */
  static async open(kernel: Kernel, options: NvmeOptions = {}): Promise<NvmeDriver> {
    const settings = settingsOf(options);
    const bdf = options.bdf ?? firstNvme(kernel);
    const space = options.space ?? new DmaSpace(kernel);
    let device: VfioDevice | undefined;
    let driver: NvmeDriver | undefined;
    try {
      device = new VfioDevice(space, bdf);
      driver = new NvmeDriver(space, device, settings);
      await driver.#bringUp();
      return driver;
    } catch (error) {
      if (driver !== undefined) driver.#release(error as Error);
      else device?.close();
      if (driver === undefined && options.space === undefined) space.close();
      throw error;
    }
  }

  private constructor(space: DmaSpace, device: VfioDevice, settings: NvmeSettings) {
    this.bdf = device.bdf;
    this.space = space;
    this.device = device;
    this.#kernel = device.kernel;
    this.#settings = settings;
    device.setBusMaster(true);
    const bar = device.region(VFIO_PCI_BAR0_REGION_INDEX);
    if (bar.size < DOORBELL_BASE + PAGE_SIZE) {
      throw new ControllerError(
        `BAR0 of ${this.bdf} has ${hex(bar.size)} bytes, too few for registers and doorbells`,
      );
    }
    this.#controller = new Controller(device, device.mapBar(bar, 0, DOORBELL_BASE));
    const doorbells = 2 * (settings.queuePairs + 1) * (4 << this.#controller.dstrd);
    const length = Math.min(alignUp(doorbells, PAGE_SIZE), bar.size - DOORBELL_BASE);
    this.doorbells = device.mapBar(bar, DOORBELL_BASE, length);
    const controller = this.#controller;
    this.#recovery = new Recovery({
      device,
      controller,
      queues: () => this.#ioQueues.all(),
      restart: () => this.#restart(),
      warn: (sentence) => settings.onWarning?.(sentence),
    });
    this.#admin = new AdminQueue({
      space,
      controller,
      doorbells: this.doorbells,
      wait: (deadline) => this.#waitOn(0, deadline),
      rescuer: this.#recovery,
      timeout_ns: settings.timeout_ns,
    });
    this.#recovery.admin = this.#admin;
    const onStale = (queue: QueuePair) => (cid: number, status: number, sqid: number) =>
      this.#warnOfStale(queue, cid, status, sqid);
    this.#admin.queue.onStale = onStale(this.#admin.queue);
    this.#ioQueues = new IoQueues({
      bdf: this.bdf,
      space,
      admin: this.#admin,
      controller,
      settings,
      doorbells: this.doorbells,
      onStale,
      isLost: () => this.#recovery.end !== null || !this.#recovery.isOn,
    });
  }

  async #bringUp(): Promise<void> {
    this.#controller.disable();
    this.#enable();
    if (this.#settings.interrupts) this.#interrupts = this.#enableInterrupts();
    this.#info = controllerInfo(await this.#admin.identify(CNS.CONTROLLER), PAGE_SIZE);
    if (this.#settings.shadowDoorbells) this.#ioQueues.shadow = this.#shadowDoorbells();
    if (this.#settings.hostMemory) this.#hostMemory = new HostMemory(this.space, this.bdf, this.info);
    const granted = await this.#configure();
    const vectors = this.#interrupts?.count ?? Number.POSITIVE_INFINITY;
    this.#ioQueues.max = Math.min(this.#settings.queuePairs, granted, vectors - 1);
    this.#ioQueues.canInterrupt = this.#interrupts !== null;
    listenForEvents(this.#admin, this.info.asyncEvents, (event) => this.#settings.onEvent?.(event));
    const shared = this.#shareIo();
    for (const nsid of await this.#admin.activeNamespaces()) {
      const info = await describeNamespace(this.#admin, nsid, this.#commandSets);
      if (info !== null) this.#namespaces.push(new BlockDevice(info, () => shared.open()));
    }
    this.#recovery.isOn = true;
  }

  #shareIo(): SharedIo {
    this.#shared = new SharedIo({
      space: this.space,
      settings: this.#settings,
      recovery: this.#recovery,
      maxTransfer_bytes: this.maxTransfer_bytes,
      retryDelays_ns: this.info.retryDelays_ns,
      createQueuePair: () => this.createQueuePair(),
      waitOn: (vector, deadline) => this.#waitOn(vector, deadline),
    });
    return this.#shared;
  }

  #enable(): void {
    const { queue, requests } = this.#admin;
    this.#controller.enable(queue.sqIova, queue.cqIova, queue.entries);
    requests.resume();
  }

  /** What a controller forgets in a reset. Resolves with how many queue pairs it grants. */
  async #configure(): Promise<number> {
    const { oaes, retryDelays_ns } = this.info;
    const granted = await this.#admin.requestQueues(this.#settings.queuePairs);
    const notices = oaes & (ASYNC_EVENT_CONFIG.NSAN.mask | ASYNC_EVENT_CONFIG.FAN.mask);
    await this.#admin.setFeatures(FID.ASYNC_EVENT, ASYNC_EVENT_CONFIG.SMART.set(notices, 0x1f));
    if (retryDelays_ns.some((delay) => delay > 0)) await this.#admin.enableRetryDelays();
    const { shadow } = this.#ioQueues;
    if (shadow !== null) await this.#admin.setDoorbellBuffers(shadow);
    if (this.#hostMemory !== null) await this.#admin.setHostMemory(this.#hostMemory);
    if (this.#controller.hasCommandSets) this.#commandSets = await selectCommandSets(this.#admin);
    return granted;
  }

  #shadowDoorbells(): ShadowDoorbells {
    if (this.info.hasDoorbellBuffer)
      return new ShadowDoorbells(this.space, this.doorbells, this.#controller.dstrd);
    throw new ControllerError(
      `${this.bdf} does not offer Doorbell Buffer Config (OACS bit 8 is 0), so shadowDoorbells must be false`,
    );
  }

  /** From a disabled controller to where it was. */
  async #restart(): Promise<void> {
    this.device.setBusMaster(true);
    this.#enable();
    await this.#configure();
    await this.#ioQueues.recreate();
  }

  /** Vector 0 for the admin queue and one for each I/O queue pair, by its number. */
  #enableInterrupts(): Interrupts {
    const vectors = vectorsOf(this.device);
    if (vectors < 2)
      throw new ControllerError(`${this.bdf} has ${vectors} MSI-X vectors, and interrupts need two`);
    return new Interrupts(this.device, this.space.ioctls, Math.min(vectors, this.#settings.queuePairs + 1));
  }

  /** What the controller says about itself. */
  get info(): ControllerInfo {
    return this.#info!;
  }

  /** Doorbells in memory and how often they were enough; null when the driver was opened without `shadowDoorbells`. */
  get shadowDoorbells(): Pick<ShadowDoorbells, 'stored' | 'rung'> | null {
    return this.#ioQueues.shadow;
  }

  /** Bytes of memory that are lent to the controller. */
  get hostMemory_bytes(): number {
    return this.#hostMemory?.bytes ?? 0;
  }

  /** The active namespaces, by ascending number. */
  get namespaces(): readonly BlockDevice[] {
    return this.#namespaces;
  }

  /** Throws RangeError when there is no such active namespace. */
  namespace(nsid: number): BlockDevice {
    const found = this.#namespaces.find((namespace) => namespace.nsid === nsid);
    if (found !== undefined) return found;
    const known = this.#namespaces.map((namespace) => namespace.nsid).join(', ') || 'none';
    throw new RangeError(`${this.bdf} has no active namespace ${nsid}; active: ${known}`);
  }

  /** How many queue pairs there can be at once. */
  get maxQueuePairs(): number {
    return this.#ioQueues.max;
  }

  /** The longest transfer of one command. */
  get maxTransfer_bytes(): number {
    return Math.min(this.info.maxTransfer_bytes, this.#settings.maxTransfer_bytes);
  }

  /** Zeroed memory that the device can reach until it is freed or the driver is closed. Throws SysError. */
  allocate(bytes: number): DmaBuffer {
    const buffer = this.space.allocate(bytes);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** Creates an I/O queue pair for the caller alone. Rejects with RangeError, SysError or NvmeError. */
  async createQueuePair(options: IoQueueOptions = {}): Promise<QueuePair> {
    if (this.#recovery.end !== null) throw this.#recovery.end;
    return this.#ioQueues.create(options, this.maxTransfer_bytes);
  }

  /** Deletes a queue pair and frees its memory. Commands that are still outstanding are lost. */
  async deleteQueuePair(queue: QueuePair): Promise<void> {
    await this.#ioQueues.delete(queue);
  }

  /**
   * Resets the controller as the driver does by itself when commands do not complete: those of namespaces are sent again,
   * those on queue pairs end with ABORTED_BY_HOST in `onComplete`, and all queue pairs can be used as before. For programs
   * that post themselves and find theirs late. `reason` is a clause. Rejects with ControllerError when the controller is lost.
   */
  async reset(reason = 'the program asked for it'): Promise<void> {
    if (this.#isClosed) throw new ControllerError(`${this.bdf} was closed`);
    await this.#recovery.reset(reason);
  }

  /**
   * Asks the controller to end a command that a program posted on a queue pair and that is late. Its completion, which
   * says how it ended, comes to the queue; where the controller has failed or does not answer, it is reset as by `reset`.
   * Resolves with a sentence about the command. Rejects with ControllerError when the controller is lost, and with
   * RangeError when no command is outstanding in the slot.
   */
  async abort(queue: QueuePair, slot: number): Promise<string> {
    if (this.#isClosed) throw new ControllerError(`${this.bdf} was closed`);
    return this.#recovery.abort(queue, slot);
  }

  /**
   * Resolves with true after an interrupt of a queue pair that has them, or with false at `deadline` (ns of
   * the kernel's clock).
   */
  async interrupted(queue: QueuePair, deadline: number): Promise<boolean> {
    return this.#interrupts === null ? false : this.#interrupts.wait(queue.qid, deadline);
  }

  /**
   * Descriptor of the eventfd that counts the interrupts of a queue pair, for programs that wait themselves;
   * -1 when it polls.
   */
  interruptFd(queue: QueuePair): number {
    return this.#interrupts?.fd(queue.qid) ?? -1;
  }

  /** Hands events that have arrived to `onEvent`, when no admin command is there to bring them along. */
  pollEvents(): void {
    this.#admin.requests.poll();
  }

  /** An Identify structure of IDENTIFY_SIZE bytes; `cns` is one of CNS. */
  identify(cns: number, nsid = 0): Promise<DataView> {
    return this.#admin.identify(cns, nsid);
  }

  /** A 32-bit register of the controller; `offset` is one of REG. */
  readRegister(offset: number): number {
    return this.#controller.readRegister(offset);
  }

  /** The first `bytes` bytes of a log page (LID); without `nsid` that of the controller. */
  getLogPage(lid: number, bytes: number, nsid = 0xffff_ffff): Promise<Uint8Array> {
    return this.#admin.getLogPage(lid, bytes, nsid);
  }

  /** Current value of a feature (FID). */
  async getFeatures(fid: number, nsid = 0): Promise<number> {
    return (await this.#admin.getFeature(fid, nsid, FEATURE_SELECT.CURRENT)).value;
  }

  /** A feature's value with its data, if it has some; `select` is one of FEATURE_SELECT. */
  getFeature(fid: number, nsid = 0, select: number = FEATURE_SELECT.CURRENT): Promise<FeatureValue> {
    return this.#admin.getFeature(fid, nsid, select);
  }

  /** Resolves with DW0 of the completion. */
  setFeatures(fid: number, value: number, nsid = 0): Promise<number> {
    return this.#admin.setFeatures(fid, value, nsid);
  }

  /** Resolves with false when no interrupt came; a driver that polls expects none. */
  #waitOn(vector: number, deadline: number): Promise<boolean> | undefined {
    if (this.#interrupts !== null) return this.#interrupts.wait(vector, deadline);
    this.#kernel.relax(deadline);
    return undefined;
  }

  #warnOfStale(queue: QueuePair, cid: number, status: number, sqid: number): void {
    const where = sqid === queue.qid ? `queue ${sqid}` : `queue ${sqid} into completion queue ${queue.qid}`;
    this.#settings.onWarning?.(
      `${this.bdf} completed command ${hex(cid, 4)} on ${where} (status ${hex(status, 3)}), ` +
        'which is not outstanding',
    );
  }

  /**
   * Deletes the queues, shuts the controller down, and gives everything back. The device is closed even when
   * the controller no longer answers; the promise then rejects with what went wrong.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#recovery.settled();
    this.#recovery.isOn = false;
    const closed = new ControllerError(`${this.bdf} was closed`);
    try {
      if (this.#recovery.end !== null) throw this.#recovery.end;
      for (const qid of this.#ioQueues.qids) await this.#admin.deleteQueues(qid);
      await this.#shared?.end(closed);
      if (this.#hostMemory !== null) await this.#admin.setFeatures(FID.HOST_MEMORY_BUFFER, 0);
      this.#admin.requests.end(closed);
      this.#controller.shutdown(this.info.rtd3e_us);
      this.#controller.disable();
    } finally {
      await this.#shared?.close();
      this.#release(closed);
    }
  }

  /** Silences the device and gives memory and descriptors back, whatever state the controller is in. */
  #release(reason: Error): void {
    this.#admin.requests.end(reason);
    this.#interrupts?.close();
    this.device.setBusMaster(false);
    this.device.close();
    this.#ioQueues.free();
    this.#hostMemory?.close();
    for (const buffer of this.#buffers) buffer.free();
    this.#admin.close();
    if (this.#settings.space === undefined) this.space.close();
  }

  /**
   * Saves or loads the queues between two events of the machine (support/archive.ts). A driver that loads has been opened
   * in the same way, and has created the same queue pairs.
   */
  archive(a: Archive): void {
    a.section(`driver of ${this.bdf}`, 1, () => {
      this.#admin.requests.archive(a);
      this.#ioQueues.archive(a);
      this.#shared?.archive(a);
    });
  }
}
