//! From a function to the module that takes its place.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, GenericArgument, GenericParam, Ident, ItemFn, Result, ReturnType, Safety, Visibility,
};

use crate::attributes::{Attributes, Instance, Registers, Threads, components, source};
use crate::formula;
use crate::parameters::{self, Kind, Parameter};

/// The modules of all instances of the kernel.
pub fn expand(attributes: &Attributes, function: &ItemFn) -> Result<TokenStream> {
    check(attributes, function)?;
    let kernel = Parts {
        visibility: &function.vis,
        docs: function.attrs.iter().filter(|a| a.path().is_ident("doc")).collect(),
        lints: function.attrs.iter().filter(|a| !a.path().is_ident("doc")).collect(),
        parameters: parameters::parse(&function.sig)?,
        body: function.block.to_token_stream(),
        attributes,
    };
    if attributes.instances.is_empty() {
        return kernel.module(&function.sig.ident, (false, None), &TokenStream::new());
    }
    let modules = attributes.instances.iter().map(|instance| {
        let aliases = aliases(function, instance)?;
        kernel.module(&instance.name, (instance.rolled, instance.registers.as_ref()), &aliases)
    });
    modules.collect()
}

fn check(attributes: &Attributes, function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if !matches!(signature.safety, Safety::Unsafe(_)) {
        return Err(Error::new(
            signature.fn_token.span(),
            "a kernel is an `unsafe fn`: its launch promises what its threads rely on",
        ));
    }
    if let ReturnType::Type(_, returned) = &signature.output {
        return Err(Error::new(returned.span(), "a kernel returns nothing; it writes into its arguments"));
    }
    if let Some(lifetime) = signature.generics.lifetimes().next() {
        return Err(Error::new(lifetime.span(), "a kernel has no lifetime parameters; leave the lifetimes out"));
    }
    // A block that is asked for lies along x alone, and a kernel written for several directions would not fill its output.
    if let (Some(Expr::Tuple(block)), Some(_)) = (&attributes.block, &attributes.threads)
        && block.elems.len() > 1
    {
        return Err(Error::new(
            block.span(),
            "`threads` lets other blocks along x be asked for, and this block has several directions; leave one of the two out",
        ));
    }
    let generic = !signature.generics.params.is_empty();
    if generic && attributes.instances.is_empty() {
        return Err(Error::new(
            signature.generics.span(),
            "name what a generic kernel is compiled for: `instances(name<arguments>, …)`",
        ));
    }
    Ok(())
}

/// `type W = Gaussian; const D: usize = 2;` for an instance.
fn aliases(function: &ItemFn, instance: &Instance) -> Result<TokenStream> {
    let parameters = &function.sig.generics.params;
    let arguments = &instance.arguments.args;
    if parameters.len() != arguments.len() {
        let message = format!("the kernel has {} generic parameters, not {}", parameters.len(), arguments.len());
        return Err(Error::new(instance.name.span(), message));
    }
    let alias = |(parameter, argument): (&GenericParam, &GenericArgument)| match parameter {
        GenericParam::Type(parameter) => {
            let name = &parameter.ident;
            quote!(#[allow(dead_code)] type #name = #argument;)
        }
        GenericParam::Const(parameter) => {
            let (name, kind) = (&parameter.ident, &parameter.ty);
            quote!(#[allow(dead_code)] const #name: #kind = #argument;)
        }
        // Refused by `check`.
        GenericParam::Lifetime(_) => TokenStream::new(),
    };
    Ok(parameters.iter().zip(arguments).map(alias).collect())
}

/// A kernel, taken apart.
struct Parts<'a> {
    visibility: &'a Visibility,
    docs: Vec<&'a Attribute>,
    lints: Vec<&'a Attribute>,
    parameters: Vec<Parameter>,
    body: TokenStream,
    attributes: &'a Attributes,
}

/// What stands before an instance: whether it is `rolled`, and how many registers it may take.
type Words<'a> = (bool, Option<&'a Registers>);

impl Parts<'_> {
    fn module(&self, name: &Ident, words: Words<'_>, aliases: &TokenStream) -> Result<TokenStream> {
        let (visibility, docs) = (self.visibility, &self.docs);
        let device = self.device(name, words);
        let processor = self.processor();
        let host = self.host(name)?;
        Ok(quote! {
            #(#docs)*
            #visibility mod #name {
                #[allow(unused_imports)]
                use super::*;
                #[allow(unused_imports)]
                use ::cuda_std::Machine as _;
                #aliases
                #device
                #processor
                #host
            }
        })
    }

    /// The kernel's body as a function, for the machine whose alias is in scope.
    ///
    /// It carries the machine's features itself, so that closures in it are compiled for them too.
    fn body(&self, inlining: &TokenStream) -> TokenStream {
        let (lints, body) = (&self.lints, &self.body);
        let declarations = self.parameters.iter().map(Parameter::declaration);
        // A parameter may be there for the launch shape alone; that is a use of it.
        let names = self.parameters.iter().map(|parameter| &parameter.name);
        quote! {
            #(#lints)*
            #inlining
            // A body of one expression on one line is not the user's to take out of its braces: they are the function's.
            #[allow(clippy::too_many_arguments, unused_braces)]
            unsafe fn body(#(#declarations),*) {
                let _ = (#(&#names,)*);
                #body
            }
        }
    }

    /// The entry of the PTX, and the comment in it by which `cuda_builder` knows the kernel.
    fn device(&self, name: &Ident, (rolled, registers): Words<'_>) -> TokenStream {
        let text = name.to_string();
        let body = self.body(&quote!(#[inline(always)]));
        let declarations = self.parameters.iter().map(Parameter::device_declaration);
        let restored = self.parameters.iter().map(Parameter::device_restored);
        let on_target = self.on_target();
        let dynamic_shared = self.attributes.shared.is_some().then(|| {
            quote! {
                #on_target
                ::core::arch::global_asm!(".extern .shared .align 16 .b8 cuda_std_dynamic_shared[];");
            }
        });
        let Attributes { rolled: all_rolled, small, .. } = self.attributes;
        // Both are read by `cuda_builder` (ptx/directives.rs).
        let rolled = (rolled || *all_rolled || *small).then(|| {
            quote! {
                #on_target
                ::core::arch::global_asm!(concat!("// cuda_std.rolled ", #text));
            }
        });
        let registers = registers.or(self.attributes.registers.as_ref()).map(|most| {
            let mark = format!("// cuda_std.registers {text} {}", most.0);
            quote! {
                #on_target
                ::core::arch::global_asm!(#mark);
            }
        });
        let optimize = small.then(|| quote!(#[optimize(size)]));
        quote! {
            #on_target
            ::core::arch::global_asm!(concat!("// cuda_std.kernel ", #text, " ", module_path!()));
            #rolled
            #registers
            #dynamic_shared
            #on_target
            const _: () = {
                #[allow(dead_code)]
                type Machine = ::cuda_std::machine::Gpu;
                #body
                #optimize
                #[unsafe(export_name = #text)]
                #[allow(clippy::too_many_arguments, clippy::undocumented_unsafe_blocks)]
                unsafe extern "ptx-kernel" fn entry(#(#declarations),*) {
                    unsafe { body(#(#restored),*) }
                }
            };
        }
    }

    /// The PTX that has the kernel: that of every architecture which later ones run too, or that of the one it names. PTX for
    /// an architecture alone, such as `sm_90a`, has no other kernels.
    fn on_target(&self) -> TokenStream {
        match &self.attributes.only {
            Some(only) => quote!(#[cfg(all(target_arch = "nvptx64", target_feature = #only))]),
            None => quote!(#[cfg(all(target_arch = "nvptx64", not(target_feature = "sm_90a")))]),
        }
    }

    /// The body once for each kind of processor, each in a loop over threads.
    fn processor(&self) -> TokenStream {
        let portable = self.processor_copy("baseline", "Baseline", None);
        let avx2 = self.processor_copy("avx2", "Avx2", Some("avx2,fma"));
        let avx512 = self.processor_copy("avx512", "Avx512", Some("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"));
        quote! {
            #[cfg(not(target_arch = "nvptx64"))]
            mod processor {
                #[allow(unused_imports)]
                use super::*;
                #portable
                #[cfg(target_arch = "x86_64")]
                #avx2
                #[cfg(target_arch = "x86_64")]
                #avx512
            }
        }
    }

    fn processor_copy(&self, module: &str, machine: &str, features: Option<&str>) -> TokenStream {
        let (module, machine) = (format_ident!("{module}"), format_ident!("{machine}"));
        let features = features.map(|features| quote!(#[target_feature(enable = #features)]));
        let body = self.body(&quote!(#[inline] #features));
        let read = self.parameters.iter().enumerate().map(|(index, p)| p.read(index));
        let restored = self.parameters.iter().enumerate().map(|(index, p)| p.restored(index));
        let count = self.parameters.len();
        quote! {
            pub mod #module {
                #[allow(unused_imports)]
                use super::*;
                #[allow(dead_code)]
                type Machine = ::cuda_std::machine::#machine;
                #body
                #features
                #[allow(unused_variables, clippy::undocumented_unsafe_blocks)]
                pub unsafe fn entry(
                    args: &[::cuda_std::launch::Arg],
                    block: &::cuda_std::processor::Block<'_>,
                ) {
                    let args = ::cuda_std::expansion::all_arguments::<#count>(args);
                    #(#read)*
                    let thread = ::cuda_std::processor::Thread::new(block);
                    while thread.advance() {
                        unsafe { body(#(#restored),*) }
                    }
                }
            }
        }
    }

    /// `KERNEL` and `launch`, and the functions behind them.
    fn host(&self, name: &Ident) -> Result<TokenStream> {
        let text = name.to_string();
        let descriptions = self.parameters.iter().map(Parameter::description);
        let declarations = self.parameters.iter().map(Parameter::launch_declaration);
        let erased = self.parameters.iter().map(Parameter::erased);
        let block_rule = self.block_rule()?;
        let shape = self.shape()?;
        Ok(quote! {
            /// What the host must know of the kernel.
            #[cfg(not(target_arch = "nvptx64"))]
            pub static KERNEL: ::cuda_std::launch::Kernel = ::cuda_std::launch::Kernel {
                name: #text,
                path: module_path!(),
                parameters: &[#(#descriptions),*],
                block: |machine| ::cuda_std::expansion::for_machine!(machine, block_rule()),
                shape: |machine, args, block| ::cuda_std::expansion::for_machine!(machine, shape(args, block)),
                entry: |machine| match machine {
                    #[cfg(target_arch = "x86_64")]
                    ::cuda_std::machine::MachineKind::Avx2 => processor::avx2::entry,
                    #[cfg(target_arch = "x86_64")]
                    ::cuda_std::machine::MachineKind::Avx512 => processor::avx512::entry,
                    _ => processor::baseline::entry,
                },
            };

            #block_rule
            #shape

            /// A call of the kernel, for an executor to run.
            #[cfg(not(target_arch = "nvptx64"))]
            #[allow(clippy::too_many_arguments, clippy::undocumented_unsafe_blocks)]
            pub fn launch<'launch>(#(#declarations),*) -> ::cuda_std::launch::Launch<'launch> {
                let erased = ::std::vec![#(#erased),*];
                // SAFETY: `erased` was made of this function's parameters, which are those of the kernel that `KERNEL` is of, and
                // are borrowed for `'launch`, mutably where it writes.
                unsafe { ::cuda_std::launch::Launch::new(&KERNEL, erased) }
            }
        })
    }

    fn block_rule(&self) -> Result<TokenStream> {
        let attributes = self.attributes;
        let [x, y, z] = match &attributes.block {
            Some(block) => components(block)?,
            None => [quote!(Machine::BLOCK), quote!(1), quote!(1)],
        };
        let range = match &attributes.threads {
            Some(Threads { least, most }) => quote!(Some((#least, #most))),
            None => quote!(None),
        };
        Ok(quote! {
            #[cfg(not(target_arch = "nvptx64"))]
            fn block_rule<Machine: ::cuda_std::Machine>() -> ::cuda_std::launch::BlockRule {
                ::cuda_std::launch::BlockRule { default: [#x, #y, #z], range: #range }
            }
        })
    }

    /// The formulas as functions: relations that name no machine are compiled once, the others and the grid for each.
    fn shape(&self) -> Result<TokenStream> {
        let attributes = self.attributes;
        let [x, y, z] = match &attributes.grid {
            Some(grid) => components(grid)?,
            None => [self.default_grid()?, quote!(1), quote!(1)],
        };
        let shared = attributes.shared.as_ref().map_or_else(|| Ok(quote!(0)), formula::checked)?;
        let (of_machine, common): (Vec<&Expr>, Vec<&Expr>) =
            attributes.require.iter().partition(|relation| mentions(relation.to_token_stream(), "Machine"));
        let violations = |relations: &[&Expr]| -> Result<TokenStream> {
            let violation = |relation: &&Expr| {
                let text = source(relation);
                let relation = formula::checked(relation)?;
                Ok(quote!(if !(#relation) { return Some(#text); }))
            };
            relations.iter().map(violation).collect()
        };
        let (common, of_machine) = (violations(&common)?, violations(&of_machine)?);
        let along =
            |written: TokenStream| syn::parse2(written.clone()).map_or(Ok(written), |whole| formula::checked(&whole));
        let [x, y, z] = [along(x)?, along(y)?, along(z)?];
        let grid = quote!([#x, #y, #z]);
        let for_common = self.in_formulas(&common);
        let for_machine = self.in_formulas(&of_machine);
        let for_grid = self.in_formulas(&quote!(#grid #shared));
        let args = parameters::erased_arguments();
        let parameters = quote!(#args: &[::cuda_std::launch::Arg], block: ::cuda_std::launch::Dim3);
        let text = quote!(::core::option::Option<&'static str>);
        Ok(quote! {
            #[cfg(not(target_arch = "nvptx64"))]
            #[allow(unused_variables, unused_parens, clippy::nonminimal_bool)]
            fn common_violation(#parameters) -> #text {
                #for_common
                #common
                None
            }
            #[cfg(not(target_arch = "nvptx64"))]
            #[allow(unused_variables, unused_parens, clippy::nonminimal_bool)]
            fn violation<Machine: ::cuda_std::Machine>(#parameters) -> #text {
                #for_machine
                #of_machine
                None
            }
            #[cfg(not(target_arch = "nvptx64"))]
            #[allow(unused_variables, unused_parens)]
            fn shape<Machine: ::cuda_std::Machine>(#parameters) -> ::cuda_std::launch::Shape {
                let violated = common_violation(#args, block).or_else(|| violation::<Machine>(#args, block));
                if violated.is_some() {
                    return ::cuda_std::launch::Shape { grid: [0; 3], shared: 0, violated };
                }
                #for_grid
                ::cuda_std::launch::Shape { grid: #grid, shared: #shared, violated: None }
            }
        })
    }

    /// Bindings of what the formulas mention.
    fn in_formulas(&self, formulas: &TokenStream) -> TokenStream {
        let count = self.parameters.len();
        let args = parameters::erased_arguments();
        let bindings = self.parameters.iter().enumerate();
        let bindings = bindings.filter(|(_, p)| mentions(formulas.clone(), &p.name.to_string()));
        let bindings = bindings.map(|(index, p)| p.in_formulas(index));
        quote! {
            let #args = ::cuda_std::expansion::all_arguments::<#count>(#args);
            #(#bindings)*
            let block = ::cuda_std::launch::BlockSize::from(block);
        }
    }

    fn default_grid(&self) -> Result<TokenStream> {
        let output = self.parameters.iter().find(|p| matches!(p.kind, Kind::DisjointMut(_)));
        match output {
            Some(Parameter { name, .. }) => Ok(quote!(#name.len().div_ceil(block.x))),
            None => Err(Error::new(
                proc_macro2::Span::call_site(),
                "say how many blocks the kernel takes: `grid = …` (the default covers the first `DisjointMut`)",
            )),
        }
    }
}

/// Whether a name is among the tokens.
fn mentions(tokens: TokenStream, name: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Group(group) => mentions(group.stream(), name),
        TokenTree::Ident(ident) => ident == name,
        _ => false,
    })
}
