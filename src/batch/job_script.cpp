#include "batch/job_script.hpp"

namespace metaflow::batch {

/// Batch counts each character of it, so names are short. Keys go to curl by its standard input: `ps` shows arguments.
std::string_view job_script() {
  return R"sh(echo 'Setting up task environment.'
for d in "$METAFLOW_TEMPDIR" /tmp "$PWD" /dev/shm; do
  w=$d/metaflow.$$
  [ -n "$d" ] && mkdir -m 700 "$w" 2>/dev/null && printf '#!/bin/sh\n' >"$w/try" && chmod 700 "$w/try" && "$w/try" 2>/dev/null && break
  w=
done
[ -n "$w" ] || { echo 'No folder of this container can hold programs (tried METAFLOW_TEMPDIR, /tmp, the working folder, /dev/shm).' >&2; exit 1; }
cd "$w"
field() { printf %s "$keys" | sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p'; }
with_curl() {
  command -v curl >/dev/null || { echo 'curl: there is none'; return 1; }
  set -- $(curl --version | sed -n '1s/^curl \([0-9]*\)\.\([0-9]*\).*/\1 \2/p')
  [ "$1" -gt 7 ] || [ "$2" -ge 88 ] || { echo "curl: $1.$2 cannot sign requests, 7.88 can"; return 1; }
  id=$AWS_ACCESS_KEY_ID secret=$AWS_SECRET_ACCESS_KEY token=$AWS_SESSION_TOKEN
  if [ -z "$id" ]; then
    keys=$(curl -sSf --retry 3 "http://169.254.170.2$AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || return 1
    id=$(field AccessKeyId) secret=$(field SecretAccessKey) token=$(field Token)
  fi
  { printf 'user = "%s:%s"\n' "$id" "$secret"; [ -z "$token" ] || printf 'header = "x-amz-security-token: %s"\n' "$token"; } |
    curl -sSf --retry 5 -K - --aws-sigv4 "aws:amz:$AWS_DEFAULT_REGION:s3" -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -o package "$METAFLOW_CODE_HTTP"
}
with_python() {
  command -v python3 >/dev/null || { echo 'python3: there is none'; return 1; }
  python3 - <<'END'
import hashlib,hmac,json,os,time,urllib.parse as p,urllib.request as u
g=os.environ.get
i,k,t=g('AWS_ACCESS_KEY_ID'),g('AWS_SECRET_ACCESS_KEY'),g('AWS_SESSION_TOKEN')
if not i:
 d=json.load(u.urlopen('http://169.254.170.2'+g('AWS_CONTAINER_CREDENTIALS_RELATIVE_URI')))
 i,k,t=d['AccessKeyId'],d['SecretAccessKey'],d['Token']
l,r=g('METAFLOW_CODE_HTTP'),g('AWS_DEFAULT_REGION')
s=p.urlsplit(l)
n=time.strftime('%Y%m%dT%H%M%SZ',time.gmtime())
h={'host':s.netloc,'x-amz-content-sha256':'UNSIGNED-PAYLOAD','x-amz-date':n}
if t:h['x-amz-security-token']=t
a=sorted(h)
c='/'.join([n[:8],r,'s3','aws4_request'])
q='\n'.join(['GET',s.path,'']+[x+':'+h[x] for x in a]+['',';'.join(a),'UNSIGNED-PAYLOAD'])
z='\n'.join(['AWS4-HMAC-SHA256',n,c,hashlib.sha256(q.encode()).hexdigest()])
m=('AWS4'+k).encode()
for x in c.split('/')+[z]:m=hmac.new(m,x.encode(),'sha256').digest()
h['authorization']='AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s'%(i,c,';'.join(a),m.hex())
open('package','wb').write(u.urlopen(u.Request(l,headers=h)).read())
END
}
if [ -d "/opt/metaflow/$METAFLOW_CODE_SHA" ]; then
  cd "/opt/metaflow/$METAFLOW_CODE_SHA"
else
  echo 'Downloading code package...'
  with_curl >why 2>&1 || with_python >>why 2>&1 || { echo "The code package $METAFLOW_CODE_HTTP cannot be fetched:" >&2; cat why >&2; exit 1; }
  gzip -dc <package >code && { ! command -v sha1sum >/dev/null || [ "$(sha1sum <code)" = "$METAFLOW_CODE_SHA  -" ]; } && gzip -dc <code | tar xf - || {
    echo 'The code package is damaged, or the image has no gzip or tar.' >&2; exit 1; }
  rm -f package code try why
  echo 'Code package downloaded.'
fi
echo 'Task is starting.'
program=$PWD/$1
shift
for loader in "$PWD"/lib/ld-linux*; do
  [ ! -e "$loader" ] || exec "$loader" --library-path "$PWD/lib" "$program" "$@"
done
exec "$program" "$@"
)sh";
}

}  // namespace metaflow::batch
