// Writes src/kube/message-table.ts: the fields of the Kubernetes objects that k1m reads and writes, as protobuf numbers and as JSON names, taken
// from the Go types themselves (their tags are what both of Kubernetes' encodings go by).
//
//	go run ./cmd/messages > ../../../src/kube/message-table.ts
package main

import (
	"fmt"
	"os"
	"reflect"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var roots = []any{
	corev1.Pod{}, corev1.Node{}, corev1.Namespace{}, corev1.Service{}, corev1.ReplicationController{},
	corev1.PersistentVolumeClaim{}, corev1.PersistentVolume{}, corev1.Event{},
	appsv1.ReplicaSet{}, appsv1.StatefulSet{}, policyv1.PodDisruptionBudget{}, coordinationv1.Lease{},
	storagev1.StorageClass{}, storagev1.CSINode{}, storagev1.CSIDriver{}, storagev1.CSIStorageCapacity{},
	storagev1.VolumeAttachment{},
	metav1.Status{}, metav1.ListMeta{},
}

// Those with an encoding of their own.
var special = map[string]bool{
	"Quantity": true, "Time": true, "MicroTime": true, "IntOrString": true, "FieldsV1": true, "RawExtension": true,
}

type field struct {
	number int
	text   string
}

type table struct {
	owners map[string]reflect.Type
	lines  map[string]string
}

func (t *table) add(goType reflect.Type) string {
	name := goType.Name()
	if special[name] {
		return name
	}
	if owner, seen := t.owners[name]; seen {
		if owner != goType {
			fail("two messages are called %s: %v, %v", name, owner, goType)
		}
		return name
	}
	t.owners[name] = goType
	var fields []field
	for i := 0; i < goType.NumField(); i++ {
		if f, ok := t.field(goType.Field(i)); ok {
			fields = append(fields, f)
		}
	}
	sort.Slice(fields, func(a, b int) bool { return fields[a].number < fields[b].number })
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = f.text
	}
	t.lines[name] = strings.Join(texts, " ")
	return name
}

// number:jsonName:kind, behind it what Go's encodings make of a missing value.
func (t *table) field(f reflect.StructField) (field, bool) {
	proto := strings.Split(f.Tag.Get("protobuf"), ",")
	if len(proto) < 2 {
		return field{}, false
	}
	number, err := strconv.Atoi(proto[1])
	if err != nil {
		fail("%s: %v", f.Name, err)
	}
	json := strings.Split(f.Tag.Get("json"), ",")
	options := strings.Join(json[1:], ",")
	goType, flag := f.Type, ""
	switch {
	case goType.Kind() == reflect.Pointer:
		goType, flag = goType.Elem(), "?"
	case strings.Contains(options, "inline"):
		flag = "^"
	case strings.Contains(options, "omitzero"):
		flag = "~"
	case !strings.Contains(options, "omitempty"):
		flag = "!"
	}
	// An inline pointer stays a part of its owner in JSON and may be missing in protobuf.
	if strings.Contains(options, "inline") && f.Type.Kind() == reflect.Pointer {
		fail("%s: an inline pointer", f.Name)
	}
	return field{number, fmt.Sprintf("%d:%s:%s%s", number, json[0], t.kind(goType), flag)}, true
}

func (t *table) kind(goType reflect.Type) string {
	if special[goType.Name()] {
		return goType.Name()
	}
	switch goType.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64:
		return "int"
	case reflect.Struct:
		return t.add(goType)
	case reflect.Slice:
		if goType.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + t.kind(goType.Elem())
	case reflect.Map:
		return "{}" + t.kind(goType.Elem())
	}
	fail("no kind for %v", goType)
	return ""
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, module := range info.Deps {
		if module.Path == "k8s.io/api" {
			if module.Replace != nil {
				module = module.Replace
			}
			return module.Version
		}
	}
	return ""
}

func main() {
	t := &table{map[string]reflect.Type{}, map[string]string{}}
	for _, root := range roots {
		t.add(reflect.TypeOf(root))
	}
	names := make([]string, 0, len(t.lines))
	for name := range t.lines {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Printf("// Written by conformance/peers/kube/cmd/messages from k8s.io/api %s; `message-schema.ts` says how to read it.\n\n", version())
	fmt.Printf("// biome-ignore-all format: a line a message\nexport const MESSAGE_TABLE: Readonly<Record<string, string>> = {\n")
	for _, name := range names {
		fmt.Printf("  %s: '%s',\n", name, t.lines[name])
	}
	fmt.Printf("};\n")
}
