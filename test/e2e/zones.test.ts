/** Zoned namespaces through the driver: command sets, reports, appends, actions, and what it says of mistakes. */
import { expect, test } from 'vitest';
import { type Board, boot, pc, zns } from '../../boards/index.ts';
import { NvmeDriver } from '../../drivers/nvme/index.ts';
import { CC, CSS, REG } from '../../nvme/spec/registers.ts';

const open = (board: Board) => NvmeDriver.open(boot(board, { pace: 'functional' }).kernel);

test('a controller with command sets runs all of them, and each namespace says which it belongs to', async () => {
  const driver = await open(zns);
  expect(CC.CSS.get(driver.readRegister(REG.CC))).toBe(CSS.ALL);
  expect(driver.namespaces.map(({ nsid, zones }) => [nsid, zones?.count])).toEqual([
    [1, 64],
    [2, undefined],
  ]);
  expect(driver.namespace(1).zones!.info).toEqual({
    blocks: 1024,
    maxOpen: 8,
    maxActive: 12,
    maxAppend_bytes: Number.POSITIVE_INFINITY,
    readsAcross: false,
  });
  await driver.close();
});

test('a controller of the NVM command set alone is driven as before', async () => {
  const [port] = pc.rootPorts;
  const { device } = port!;
  if (device?.kind !== 'nvme') throw new Error('the drive of pc is gone');
  const old = { ...device, profile: { ...device.profile, commandSets: 0x01 } };
  const driver = await open({ ...pc, rootPorts: [{ ...port!, device: old }] });
  expect(CC.CSS.get(driver.readRegister(REG.CC))).toBe(CSS.NVM);
  expect(driver.namespaces.map(({ zones }) => zones)).toEqual([null, null]);
  await driver.close();
});

test('zones are reported, appended to, finished and reset', async () => {
  const driver = await open(zns);
  const namespace = driver.namespace(1);
  const zones = namespace.zones!;
  const data = new Uint8Array(3 * namespace.blockSize).fill(7);
  expect(await zones.append(1024, data)).toBe(1024);
  expect(await zones.append(1024, data.subarray(0, namespace.blockSize))).toBe(1027);
  await namespace.write(0, new Uint8Array(1 << 20)); // longer than one command
  await zones.open(2048);
  await zones.finish(3072);
  const report = await zones.report();
  expect(report).toHaveLength(64);
  expect(report.slice(0, 5)).toEqual([
    { start: 0, capacity: 768, state: 'implicitly open', pointer: 256 },
    { start: 1024, capacity: 768, state: 'implicitly open', pointer: 1028 },
    { start: 2048, capacity: 768, state: 'explicitly open', pointer: 2048 },
    { start: 3072, capacity: 768, state: 'full', pointer: 3840 },
    { start: 4096, capacity: 768, state: 'empty', pointer: 4096 },
  ]);
  expect(await namespace.read(1025, 1)).toEqual(data.subarray(0, namespace.blockSize));
  await zones.reset(1024);
  expect((await zones.report())[1]).toMatchObject({ state: 'empty', pointer: 1024 });
  await zones.resetAll();
  expect(new Set((await zones.report()).map(({ state }) => state))).toEqual(new Set(['empty']));
  await driver.close();
});

test('mistakes with zones are explained', async () => {
  const driver = await open(zns);
  const namespace = driver.namespace(1);
  const block = new Uint8Array(namespace.blockSize);
  await expect(namespace.write(5, block)).rejects.toThrow(
    /ZONE_INVALID_WRITE .* Probable cause: the write does not begin at the write pointer of its zone/,
  );
  await expect(namespace.zones!.append(5, block)).rejects.toThrow(/Zone Append of block 5 .* INVALID_FIELD/);
  await expect(namespace.zones!.append(0, block.subarray(1))).rejects.toThrow(/whole blocks of 4096 bytes/);
  for (let zone = 0; zone < 8; zone++) await namespace.zones!.open(zone * 1024);
  await expect(namespace.zones!.open(8 * 1024)).rejects.toThrow(/TOO_MANY_OPEN_ZONES .* reset another zone/);
  await driver.close();
});
