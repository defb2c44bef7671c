/**
 * Samsung 970 PRO 512 GB with the parameters that NVMeVirt publishes for it (ssd_config.h), unchanged: its medium,
 * channels, buffer and firmware times. Its QD1 write figure (55 kIOPS) is not compared: it contains a kernel's way of
 * about 8 us, and NVMeVirt's parameters leave that to the real kernel around it.
 */
import type { ControllerTiming } from '../../nvme/profile.ts';
import { KIB, MIB } from '../../support/numbers.ts';
import { GEN3_X4, LINK_SOURCES } from '../links.ts';
import { controllerOf, controllerSources, MEDIA_SOURCES, POWER_SOURCES, USUAL_LIFE } from './common.ts';
import type { Device } from './device.ts';

const timing = {
  fetch_ns: 100,
  decode_ns: 1500,
  complete_ns: 400,
  cores: 1,
  ...USUAL_LIFE,
  media: {
    kind: 'nand',
    channels: 8,
    diesPerChannel: 2,
    planesPerDie: 1,
    page_bytes: 32 * KIB,
    program_bytes: 32 * KIB,
    read4K_ns: 35_760,
    readPage_ns: 36_013,
    readSpread_ns: 6000,
    jitter_ns: 0,
    program_ns: 185_000,
    erase_ns: 0,
    block_bytes: 8 * MIB,
    channel_bytes_per_ns: 0.8,
    firmware4K_ns: 21_500,
    firmwareRead_ns: 30_490,
    firmwareWrite_ns: 4000,
    firmwareWrite4K_ns: 460,
    buffer_bytes: MIB,
    overProvisioning: 0.07,
    flush_ns: 4000,
    capacitors: false,
  },
} as const satisfies ControllerTiming;

const nvmevirt = (name: string): string => `NVMeVirt ssd_config.h, SAMSUNG_970PRO: ${name}`;
const CORES = 'one core takes 526 k commands a second: random write of 500 kIOPS (data sheet)';

export const samsung970pro: Device = {
  name: '970pro',
  description: "Samsung 970 PRO 512 GB, MLC NAND, gen 3 x4, with NVMeVirt's published parameters",
  controller: controllerOf('970pro', '970 PRO timing', timing),
  link: GEN3_X4,
  sources: {
    link: LINK_SOURCES,
    power: POWER_SOURCES,
    controller: controllerSources(
      'small beside FW_4KB_READ_LATENCY, which holds the rest of the firmware',
      CORES,
    ),
    media: {
      channels: nvmevirt('NAND_CHANNELS'),
      diesPerChannel: nvmevirt('LUNS_PER_NAND_CH'),
      planesPerDie: nvmevirt('PLNS_PER_LUN'),
      page_bytes: nvmevirt('FLASH_PAGE_SIZE'),
      program_bytes: nvmevirt('ONESHOT_PAGE_SIZE'),
      read4K_ns: nvmevirt('mean of NAND_4KB_READ_LATENCY_LSB and _MSB'),
      readPage_ns: nvmevirt('mean of NAND_READ_LATENCY_LSB and _MSB'),
      readSpread_ns: nvmevirt('half the distance of the LSB and MSB latencies'),
      jitter_ns: nvmevirt('none'),
      program_ns: nvmevirt('NAND_PROG_LATENCY'),
      erase_ns: nvmevirt('NAND_ERASE_LATENCY'),
      block_bytes: 'of no consequence while erasing takes no time',
      channel_bytes_per_ns: nvmevirt('NAND_CHANNEL_BANDWIDTH'),
      firmware4K_ns: nvmevirt('FW_4KB_READ_LATENCY'),
      firmwareRead_ns: nvmevirt('FW_READ_LATENCY'),
      firmwareWrite_ns: nvmevirt('FW_WBUF_LATENCY0'),
      firmwareWrite4K_ns: nvmevirt('FW_WBUF_LATENCY1'),
      buffer_bytes: nvmevirt('GLOBAL_WB_SIZE'),
      overProvisioning: nvmevirt('OP_AREA_PERCENT'),
      flush_ns: MEDIA_SOURCES.flushIsWrite,
      capacitors: MEDIA_SOURCES.noCapacitors,
    },
  },
  published: {
    'read-qd1': { value: 66.7, source: 'data sheet: 15 kIOPS (970 series, techgage)' },
    'read-saturated': { value: 370, source: 'data sheet of the 512 GB drive (pugetsystems.com)' },
    'write-saturated': { value: 500, source: 'data sheet of the 512 GB drive (pugetsystems.com)' },
    'read-sequential': { value: 3500, source: 'data sheet of the 512 GB drive (pugetsystems.com)' },
    'write-sequential': { value: 2300, source: 'data sheet of the 512 GB drive (pugetsystems.com)' },
  },
};
