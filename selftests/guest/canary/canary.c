// SPDX-License-Identifier: GPL-2.0
/*
 * A module with mistakes, one at a time: what a guest's harness and the debug
 * kernel's checks are there to find.  If they find these, they are awake.
 *
 * The mistake is made when its name is written to the parameter "plant", so that
 * loading the module is not what fails.
 */
#include <linux/compiler.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

/* Several: a stale copy of one pointer on some stack makes a leak look used */
#define LEAKS 16
#define LEAK_BYTES 200
#define HEAP_BYTES 64

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

static void plant_overflow(void)
{
	char *heap = kmalloc(HEAP_BYTES, GFP_KERNEL);

	if (!heap)
		return;
	/* Neither compiler nor fortified memset() may see through it */
	OPTIMIZER_HIDE_VAR(heap);
	WRITE_ONCE(heap[HEAP_BYTES], 1);
	kfree(heap);
}

static void plant_inversion(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static void plant_atomic_sleep(void)
{
	spin_lock(&spin);
	might_sleep();
	spin_unlock(&spin);
}

static void plant_leak(void)
{
	unsigned int i;

	for (i = 0; i < LEAKS; i++) {
		void *lost = kmalloc(LEAK_BYTES, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
}

static void plant_warning(void)
{
	WARN(1, "planted\n");
}

static void plant_reference(void)
{
	/* Nobody ever gives it back */
	__module_get(THIS_MODULE);
}

static const struct {
	const char *name;
	void (*plant)(void);
} mistakes[] = {
	{ "overflow", plant_overflow },
	{ "inversion", plant_inversion },
	{ "atomic-sleep", plant_atomic_sleep },
	{ "leak", plant_leak },
	{ "warning", plant_warning },
	{ "reference", plant_reference },
	{ "nothing", NULL },
};

static int set_plant(const char *value, const struct kernel_param *param)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(mistakes); i++) {
		if (!sysfs_streq(value, mistakes[i].name))
			continue;
		if (mistakes[i].plant)
			mistakes[i].plant();
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops plant_ops = {
	.set = set_plant,
};

module_param_cb(plant, &plant_ops, NULL, 0200);
MODULE_PARM_DESC(plant, "The mistake to make");

static int __init canary_init(void)
{
	return 0;
}
module_init(canary_init);

static void __exit canary_exit(void)
{
}
module_exit(canary_exit);

MODULE_DESCRIPTION("Mistakes that a debug kernel has to find");
MODULE_LICENSE("GPL");
